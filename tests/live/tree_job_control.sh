#!/bin/bash
# variants: root unpriv
# An interactive shell with jobs comes back on another terminal: it has the terminal, ^Z and ^C reach its jobs, fg and bg work; when it ends, the outer
# shell has the terminal again. A script that restarts a program which had been a shell's job gets the terminal back too, and ^C ends both.
. "$TESTS/lib.sh"
need python3
start_coordinator
python3 - "$B/tests/live/ends_as_told" <<'PYTHON' || fail "on a terminal"
import glob, os, pty, select, signal, subprocess, sys, time

class Terminal:
    def __init__(self):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update(PS1="outer> ", TERM="dumb", HISTFILE="")
            os.execvp("bash", ["bash", "--norc", "--noediting", "-i"])
        self.seen = ""
        self.expect("outer> ")

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

def command(*words):
    subprocess.run(["dmtcp_command", *words], check=True, stdout=subprocess.DEVNULL)

def images():
    return " ".join(glob.glob(os.environ["DMTCP_CHECKPOINT_DIR"] + "/*.dmtcp"))

def in_foreground(t, name):
    """The leader of the terminal's foreground group; the master knows it."""
    end = time.monotonic() + 30
    while True:
        t.read(0.01)
        try:
            group = os.tcgetpgrp(t.fd)
            if open(f"/proc/{group}/comm").read().strip() == name:
                return
        except OSError:
            pass
        if time.monotonic() > end:
            sys.exit(f"{name} is not in the foreground; the terminal shows {t.seen!r}")

def job_control(t):
    t.type("sleep 1000\n")
    in_foreground(t, "sleep")
    t.type("\x1a")
    t.expect("Stopped")
    t.expect("inner> ")
    t.type("bg\n")
    t.expect("inner> ")
    t.type("jobs\n")
    t.expect("Running")
    t.expect("inner> ")
    t.type("fg\n")
    t.expect("sleep 1000")
    in_foreground(t, "sleep")
    t.type("\x03")
    t.expect("inner> ")
    t.type("echo $((6 * 7))\n")
    t.expect("42")
    t.expect("inner> ")

t = Terminal()
t.type("PS1='inner> ' dmtcp_launch --join bash --norc --noediting -i\n")
t.expect("inner> ")
job_control(t)
t.type("sleep 2000\n")
in_foreground(t, "sleep")
t.type("\x1a")
t.expect("Stopped")
t.expect("inner> ")
t.type("x=kept\n")
t.expect("inner> ")
command("-bc")
command("-k")
t.expect("outer> ")
t.type("exit\n")
t.close()

t = Terminal()
t.type("dmtcp_restart " + images() + "\n")
t.type("\n")
t.expect("inner> ")
t.type("echo it is $x\n")
t.expect("it is kept")
t.expect("inner> ")
t.type("jobs\n")
t.expect("Stopped")
t.expect("inner> ")
t.type("fg\n")
t.expect("sleep 2000")
in_foreground(t, "sleep")
t.type("\x03")
t.expect("inner> ")
job_control(t)
t.type("exit 3\n")
t.expect("outer> ")
t.type("echo status $?\n")
t.expect("status 3")
t.expect("outer> ")
t.type("exit\n")
t.close()

# From a script: ^C is for the script too.
for image in glob.glob(os.environ["DMTCP_CHECKPOINT_DIR"] + "/*.dmtcp"):
    os.unlink(image)
t = Terminal()
t.type("dmtcp_launch --join sleep 3000\n")
end = time.monotonic() + 30
while "RUNNING=yes" not in subprocess.run(["dmtcp_command", "-s"], capture_output=True, text=True).stdout:
    if time.monotonic() > end:
        sys.exit("sleep does not run")
    time.sleep(0.05)
command("-bc")
command("-k")
t.expect("outer> ")
with open("script", "w") as f:
    f.write("dmtcp_restart " + images() + "\necho >reached\n")
t.type("bash script\n")
while "RUNNING=yes" not in subprocess.run(["dmtcp_command", "-s"], capture_output=True, text=True).stdout:
    if time.monotonic() > end:
        sys.exit("sleep does not run again")
    time.sleep(0.05)
t.type("\x1a")
t.expect("Stopped")
t.expect("outer> ")
t.type("fg\n")
t.expect("bash script")
in_foreground(t, "sleep")
t.type("\x03")
t.expect("outer> ")
t.type("echo status $?\n")
t.expect("status 130")
t.expect("outer> ")
if os.path.exists("reached"):
    sys.exit("the script went on after ^C")
t.type("exit\n")
t.close()
PYTHON
stop_coordinator
