#!/bin/bash
# variants: root unpriv
# A program on a terminal comes back on the terminal of dmtcp_restart; ^C reaches it once, and dmtcp_restart does not die of it; ^Z stops both, fg continues.
. "$TESTS/lib.sh"
need python3
start_coordinator
python3 - "$B/tests/live/ends_as_told" <<'PYTHON' || fail "on a terminal"
import glob, os, pty, select, signal, subprocess, sys, time

steps = os.environ["STEP_DIR"]

class Terminal:
    """An interactive shell on a terminal of its own."""

    def __init__(self):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update(PS1="ready> ", TERM="dumb")
            os.execvp("bash", ["bash", "--norc", "--noediting", "-i"])
        self.seen = ""
        self.expect("ready> ")

    def type(self, text):
        os.write(self.fd, text.encode())

    def read(self, seconds):
        if select.select([self.fd], [], [], seconds)[0]:
            self.seen += os.read(self.fd, 4096).decode()

    def expect(self, text):
        end = time.monotonic() + 30
        while text not in self.seen:
            if time.monotonic() > end:
                sys.exit(f"waited for {text!r}, the terminal shows: {self.seen!r}")
            self.read(0.1)
        self.seen = self.seen.split(text, 1)[1]

    def close(self):
        os.close(self.fd)
        os.waitpid(self.pid, 0)

def until(what, condition):
    end = time.monotonic() + 30
    while not condition():
        if time.monotonic() > end:
            sys.exit(f"waited for {what}; the terminal shows {terminal.seen!r}")
        terminal.read(0.01)

def content(path):
    try:
        return open(path).read()
    except OSError:
        return ""

step = 1

def tell(how, wait=True):
    global step
    with open(steps + "/how", "w") as f:
        f.write(how)
    open(f"{steps}/go.{step}", "w").close()
    step += 1
    if wait:
        until(f"step {step}", lambda: content(steps + "/ready") == str(step))

terminal = Terminal()
terminal.type(f"dmtcp_launch --join {sys.argv[1]}\n")
until("the program", lambda: content(steps + "/ready") == "1")
tell("handle")
tell("say")
terminal.expect("said at step 2, to a terminal")
subprocess.run(["dmtcp_command", "-bc"], check=True, stdout=subprocess.DEVNULL)
subprocess.run(["dmtcp_command", "-k"], check=True, stdout=subprocess.DEVNULL)
terminal.expect("ready> ")
terminal.type("exit\n")
terminal.close()

terminal = Terminal()
terminal.type("dmtcp_restart " + " ".join(glob.glob(os.environ["DMTCP_CHECKPOINT_DIR"] + "/*.dmtcp")) + "\n")
tell("say")
terminal.expect("said at step 3, to a terminal")

def count(expected):
    """Until as many signals have come; one more is an error."""
    while True:
        tell("count")
        counted = content("counted").split()
        if counted == expected.split():
            return
        if int(counted[1]) > int(expected.split()[1]):
            sys.exit(f"signals counted: {counted}")

count("INT 0 USR1 0 TERM 0")
terminal.type("\x03")
count("INT 1 USR1 0 TERM 0")
terminal.type("\x1a")
terminal.expect("Stopped")
terminal.expect("ready> ")
terminal.type("fg\n")
count("INT 1 USR1 0 TERM 0")
tell("exit 5", wait=False)
terminal.expect("ready> ")
terminal.type("echo status $?\n")
terminal.expect("status 5")
terminal.type("exit\n")
terminal.close()
PYTHON
stop_coordinator
