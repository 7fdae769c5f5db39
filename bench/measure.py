"""Running things for bench/: a coordinator, programs with and without it, the limits beside them. Every figure is a list of samples that were
taken in turn with those it is compared with; what is reported is their medians."""
import mmap
import os
import re
import shutil
import signal
import statistics
import struct
import subprocess
import tempfile
import time

SECONDS = 120  # for anything that is awaited


class Failed(Exception):
    pass


def await_(what, done):
    end = time.monotonic() + SECONDS
    while not done():
        if time.monotonic() > end:
            raise Failed(f"waited {SECONDS} s for {what}")
        time.sleep(0.002)


def median(samples):
    return statistics.median(samples)


def read(path):
    with open(path) as file:
        return file.read()


class Board:
    """bench/board.h"""
    READY, GAP, FIRST, DIRTIED, FORKED, FORK_NS = range(6)
    SLOTS = 32

    def __init__(self, path):
        self.path = path
        with open(path, "wb") as file:
            file.write(bytes(4096))
        with open(path, "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), 4096)

    def __getitem__(self, word):
        return struct.unpack_from("Q", self.memory, 8 * word)[0]

    def __setitem__(self, word, value):
        struct.pack_into("Q", self.memory, 8 * word, value)


class Bench:
    """Where things are, how often to measure, and what has been started."""

    def __init__(self, build, full, rounds):
        self.build = os.path.abspath(build)
        self.full = full
        self.rounds = rounds or (9 if full else 5)
        self.cpus = len(os.sched_getaffinity(0))
        base = os.environ.get("BENCH_DIR") or os.path.join(self.build, "bench")
        os.makedirs(base, exist_ok=True)
        self.directory = tempfile.mkdtemp(prefix="run.", dir=base)
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("DMTCP_")}
        self.environment.update(DMTCP_TMPDIR=os.path.join(self.directory, "tmp"), DMTCP_CHECKPOINT_DIR=self.directory, DMTCP_QUIET="2")
        os.mkdir(self.environment["DMTCP_TMPDIR"], 0o700)
        self.started = []
        self.coordinator = 0
        self.counter = 0

    def tool(self, name):
        return os.path.join(self.build, "bin", name)

    def program(self, name):
        return os.path.join(self.build, "bench", name)

    def path(self, name):
        return os.path.join(self.directory, name)

    def spawn(self, argv, out=None, **environment):
        """posix_spawn: the least that starting something costs from here."""
        log = out or self.path("log")
        actions = [(os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                   (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), (os.POSIX_SPAWN_DUP2, 1, 2)]
        pid = os.posix_spawn(argv[0], argv, dict(self.environment, **environment), file_actions=actions)
        self.started.append(pid)
        return pid

    def wait(self, pid):
        status = os.waitpid(pid, 0)[1]
        self.started.remove(pid)
        return os.waitstatus_to_exitcode(status)

    def kill(self, pid):
        """A program and what it made; only what was started here."""
        pids = [pid]
        for parent in pids:
            try:
                for task in os.listdir(f"/proc/{parent}/task"):
                    pids += [int(child) for child in read(f"/proc/{parent}/task/{task}/children").split()]
            except OSError:
                pass
        for each in pids:
            try:
                os.kill(each, signal.SIGKILL)
            except OSError:
                pass
        self.wait(pid)
        await_("the end of what was killed", lambda: not any(os.path.exists(f"/proc/{p}/exe") and self.alive(p) for p in pids[1:]))

    @staticmethod
    def alive(pid):
        try:
            return read(f"/proc/{pid}/stat").rpartition(")")[2].split()[0] not in "ZX"
        except OSError:
            return False

    def start_coordinator(self):
        port = self.path("port")
        self.coordinator = self.spawn([self.tool("dmtcp_coordinator"), "-p", "0", "--port-file", port, "--coord-logfile", self.path("coordinator.log"),
                                       "--ckptdir", self.directory, "--daemon"])
        self.wait(self.coordinator)
        await_("the coordinator", lambda: os.path.exists(port) and read(port))
        self.environment["DMTCP_COORD_PORT"] = read(port)
        self.environment["DMTCP_COORD_HOST"] = "127.0.0.1"

    def stop_coordinator(self):
        if self.environment.pop("DMTCP_COORD_PORT", None):
            self.environment.pop("DMTCP_COORD_HOST")
            # It has the port in the environment of the command only.
            port = read(self.path("port"))
            self.wait(self.spawn([self.tool("dmtcp_command"), "-p", port, "-q"]))
            await_("the coordinator's end", lambda: not os.path.exists(self.path("port")))

    def command(self, *arguments):
        """Seconds, from before the process is started until it has ended."""
        begin = time.monotonic()
        status = self.wait(self.spawn([self.tool("dmtcp_command"), *arguments]))
        took = time.monotonic() - begin
        if status:
            raise Failed(f"dmtcp_command {' '.join(arguments)}: exit code {status}: {read(self.path('log'))[-500:]}")
        return took

    def checkpoint_log(self):
        """Seconds between the coordinator's two lines about the last checkpoint."""
        def at(text):
            stamp = [line for line in read(self.path("coordinator.log")).splitlines() if text in line][-1].split()[0]
            hours, minutes, seconds = stamp.partition("T")[2].split(":")
            return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
        return (at("Checkpoint complete") - at("starting checkpoint")) % 86400

    def images(self):
        return [os.path.join(self.directory, name) for name in os.listdir(self.directory) if re.fullmatch(r"ckpt_.*\.dmtcp", name)]

    def remove_images(self):
        for image in self.images():
            os.unlink(image)

    def limit(self, *arguments):
        """One of bench/limits.c's: (seconds, seconds of CPU time)."""
        out = subprocess.run([self.program("limits"), *map(str, arguments)], check=True, capture_output=True, text=True).stdout
        return tuple(float(word) for word in out.split())

    def best_writer(self, megabytes, pages, sync):
        """(seconds, which) of the quickest plain way to write so much text."""
        out = subprocess.run([self.program("limits"), "write", self.path("plain"), str(megabytes), pages, "text", str(self.cpus), str(int(sync))],
                             check=True, capture_output=True, text=True).stdout
        ways = [line.split(None, 2) for line in out.splitlines()]
        return min((float(wall), way) for wall, _, way in ways)

    def close(self):
        for pid in list(self.started):
            try:
                self.kill(pid)
            except (OSError, ValueError, Failed):
                pass
        try:
            self.stop_coordinator()
        except (OSError, Failed):
            pass
        shutil.rmtree(self.directory, ignore_errors=True)


class Subject:
    """bench/subject.c, under a coordinator of its own or native."""

    def __init__(self, bench, megabytes, pages="small", contents="text", threads=0, dirty=0, native=False, program=None, **environment):
        self.bench = bench
        bench.counter += 1
        self.board = Board(bench.path(f"board.{bench.counter}"))
        self.native = native
        self.restarted = False
        argv = [program or bench.program("subject"), self.board.path]
        argv += [str(megabytes), pages, contents, str(threads), str(dirty)] if not program else [str(megabytes)]
        if not native:
            bench.start_coordinator()
            argv = [bench.tool("dmtcp_launch"), "--join", *argv]
        self.pid = bench.spawn(argv, **environment)
        if not program:
            await_("the program", lambda: self.board[Board.READY] or self.dead())

    def dead(self):
        if not self.bench.alive(self.pid):
            raise Failed(f"the program has ended: {read(self.bench.path('log'))[-500:]}")

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.bench.kill(self.pid)
        if not self.native:
            self.bench.stop_coordinator()
        self.bench.remove_images()

    def cpu(self):
        """Seconds of CPU time of children that were waited for: the writers' of images. (The program's own: it has others only by SIGUSR1.)"""
        words = read(f"/proc/{self.pid}/stat").rpartition(")")[2].split()
        return (int(words[13]) + int(words[14])) / os.sysconf("SC_CLK_TCK")

    def checkpoint(self):
        """(seconds of the command, largest gap of the ticking thread in seconds, CPU seconds of the writers)"""
        cpu = self.cpu()
        self.board[Board.GAP] = 0
        took = self.bench.command("-bc")
        time.sleep(0.01)
        return took, self.board[Board.GAP] / 1e9, self.cpu() - cpu

    def fork(self):
        """Seconds that fork() takes the program."""
        before = self.board[Board.FORKED]
        os.kill(self.pid, signal.SIGUSR1)
        await_("a fork", lambda: self.board[Board.FORKED] > before)
        return self.board[Board.FORK_NS] / 1e9

    def image_bytes(self):
        return sum(os.path.getsize(image) for image in self.bench.images())

    def kill(self):
        self.bench.kill(self.pid)

    def restart(self, **environment):
        """Seconds from before dmtcp_restart is started to the first tick. The program was killed before."""
        board, bench = self.board, self.bench
        images = bench.images()
        board[Board.FIRST] = 0
        begin = time.monotonic_ns()
        self.pid = bench.spawn([bench.tool("dmtcp_restart"), "--join", *images], **environment)
        await_("the restarted program", lambda: board[Board.FIRST] or self.dead())
        self.restarted = True
        took = (board[Board.FIRST] - begin) / 1e9
        await_("the coordinator's word", lambda: self.running())
        return took

    def running(self):
        out = subprocess.run([self.bench.tool("dmtcp_command"), "-s"], capture_output=True, text=True, env=self.bench.environment).stdout
        return "RUNNING=yes" in out
