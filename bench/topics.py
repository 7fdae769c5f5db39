"""What is measured: one function a topic, in the order of docs/performance.md. Each takes its samples in rounds: ours, the limit, ours, the limit …"""
import os
import subprocess
import time

from measure import Board, Subject, await_, median, read
from report import Table

MB = 1 << 20
DURABLE = {"DMTCP_FSYNC": "1"}
FAST = {"DMTCP_FSYNC": "0"}


def pause(bench):
    table = Table(1, "Pause: the largest gap of a thread that ticks every 0.1 ms", "fork",
                  "fork: what fork() takes in the same program, natively; a snapshot can't do with less. 100 us are the ticks' own")
    sizes = (64, 256, 1024, 4096) if bench.full else (64, 256, 1024)
    for pages in ("small", "huge"):
        per_gb = 0.040 if pages == "small" else 0.006
        for size in sizes:
            for gzip in ("0", "1"):
                if gzip == "1" and (size != 64 or pages == "huge") and not bench.full:
                    continue
                ours, forks = [], []
                with Subject(bench, size, pages, native=True) as native:
                    with Subject(bench, size, pages, DMTCP_GZIP=gzip, **FAST) as subject:
                        for _ in range(bench.rounds):
                            forks.append(native.fork())
                            ours.append(subject.checkpoint()[1])
                table.add(f"{size} MB, {'4 KiB' if pages == 'small' else 'huge'} pages{', gzip' if gzip == '1' else ''}", median(ours), "s", median(forks),
                          at_most=max(0.005, per_gb * size / 1024), curve=f"{pages} pages{', gzip' if gzip == '1' else ''}", curve_of="pause", size=size)
    gaps = {0: [], 500: []}
    for _ in range(bench.rounds):
        for threads, samples in gaps.items():
            with Subject(bench, 1, threads=threads, DMTCP_GZIP="0", **FAST) as subject:
                samples += [subject.checkpoint()[1] for _ in range(2)]
    table.add("500 threads, beyond those of one", median(gaps[500]) - median(gaps[0]), "s", at_most=0.025)
    return table


def whole(bench):
    table = Table(2, "A whole checkpoint of a small idle process, `dmtcp_command -bc` from its start to its end", "command -s",
                  "command -s: the same command, only to ask for the coordinator's state; the log's times are whole milliseconds")
    for name, megabytes, environment, target in (("10 MB, raw", 10, FAST, 0.030), ("10 MB, gzip", 10, dict(FAST, DMTCP_GZIP="1"), None),
                                                 ("10 MB, raw, fsync", 10, DURABLE, None), ("bare C program, raw", 0, FAST, 0.030)):
        ours, idle, inside = [], [], []
        with Subject(bench, megabytes, **dict({"DMTCP_GZIP": "0"}, **environment)) as subject:
            for _ in range(4 * bench.rounds):
                idle.append(bench.command("-s"))
                ours.append(subject.checkpoint()[0])
                inside.append(bench.checkpoint_log())
        table.add(name, median(ours), "s", median(idle), at_most=target)
        table.add(f"  inside the coordinator", median(inside), "s", at_most=0.010 if not megabytes else None)
    return table


def write(bench):
    table = Table(3, "Writing a raw image, bytes a second of the whole command", "best plain writer",
                  "the best in each round of write() by 1 and N threads, to the page cache and O_DIRECT, in pieces of 1 and 8 MB, of the same bytes")
    sizes = (64, 256, 1024, 4096) if bench.full else (64, 256, 1024)
    for sync in ("", "+sync"):
        for size in sizes:
            for pages in ("small", "huge") if size == 1024 else ("small",):
                ours, best, cpu, won = [], [], [], {}
                with Subject(bench, size, pages, DMTCP_GZIP="0", DMTCP_FSYNC="1" if sync else "0") as subject:
                    for _ in range(max(3, bench.rounds // (4 if size > 1024 else 1))):
                        bench.remove_images()
                        took, _, cpu_time = subject.checkpoint()
                        ours.append(subject.image_bytes() / took)
                        cpu.append(cpu_time)
                        seconds, way = bench.best_writer(size, pages, bool(sync))
                        won[way] = won.get(way, 0) + 1
                        best.append(size * MB / seconds)
                table.add(f"{size} MB, {'4 KiB' if pages == 'small' else 'huge'} pages{', fsync' if sync else ''}", median(ours), "B/s", median(best),
                          ratio_at_least=0.95 if size >= 1024 else None, best_way=max(won, key=won.get), cpu_seconds=median(cpu),
                          **({} if pages == "huge" else dict(curve=f"raw{', fsync' if sync else ''}", curve_of="throughput", size=size)))
    return table


def gzip(bench):
    table = Table(4, "Compressed images", f"{bench.cpus} x zlib level 1",
                  "memory a second; N times the rate of one thread of zlib, alone; of CPU time: by the CPU seconds of both, which does not count what else runs")
    size = 512 if bench.full else 256
    for contents in ("text", "random"):
        ours, cpu, single, single_cpu, inflated, inflate_limit, raw_seconds, image = [], [], [], [], [], [], [], 0
        with Subject(bench, size, contents=contents, DMTCP_GZIP="1", **FAST) as subject:
            for _ in range(bench.rounds):
                wall, one_cpu = bench.limit("deflate", size, contents, 1)
                single.append(size * MB / wall * bench.cpus)
                single_cpu.append(size * MB / one_cpu)
                took, _, cpu_time = subject.checkpoint()
                ours.append(size * MB / took)
                cpu.append(size * MB / max(cpu_time, 0.01))
                image = subject.image_bytes()
            for _ in range(bench.rounds):
                subject.kill()
                inflate_limit.append(size * MB / bench.limit("inflate", size, contents, 1)[0] * bench.cpus)
                inflated.append(size * MB / subject.restart())
        target = 0.95
        table.add(f"{size} MB of {contents}: checkpoint", median(ours), "B/s", median(single), ratio_at_least=target,
                  **(dict(curve="gzip, text", curve_of="throughput", size=size) if contents == "text" else {}))
        table.add("  of CPU time", median(cpu), "B/s", median(single_cpu), ratio_at_least=target)
        table.add("  restart", median(inflated), "B/s", median(inflate_limit), ratio_at_least=target if contents == "text" else None)
        table.add("  image", image, "B", size * MB)
    with Subject(bench, 64, DMTCP_GZIP="1", **FAST) as subject:
        table.add("64 MB of text: checkpoint", 64 * MB / median([subject.checkpoint()[0] for _ in range(bench.rounds)]), "B/s", curve="gzip, text",
                  curve_of="throughput", size=64)
    return table


def restart(bench):
    table = Table(5, "Restart of a raw image in the page cache, from the start of dmtcp_restart to the program's first instruction", "plain reader",
                  "the better of 1 and N threads that read the same bytes into fresh anonymous memory of the same kind of pages")
    sizes = ((10, "small"), (64, "small"), (256, "small"), (1024, "small"), (1024, "huge"), (4096, "small")) if bench.full else \
        ((10, "small"), (64, "small"), (1024, "small"), (1024, "huge"))
    for size, pages in sizes:
        ours, plain = [], []
        with Subject(bench, size, pages, DMTCP_GZIP="0", **FAST) as subject:
            subject.checkpoint()
            image = bench.images()[0]
            for _ in range(bench.rounds * (4 if size == 10 else 1)):
                subject.kill()
                plain.append(min(bench.limit("read", image, threads, pages)[0] for threads in (1, bench.cpus)))
                ours.append(subject.restart())
        small = size == 10
        table.add(f"{size} MB, {'4 KiB' if pages == 'small' else 'huge'} pages", median(ours), "s", median(plain), at_most=0.030 if small else None,
                  ratio_at_most=None if size < 1024 else 1.1)
    return table


def sparse(bench):
    table = Table(6, "Sparse, zero and reserved memory", "touched bytes",
                  "base: the same program without that memory")
    base_time, base_image = [], 0
    with Subject(bench, 0, DMTCP_GZIP="0", **FAST) as subject:
        for _ in range(bench.rounds):
            base_time.append(subject.checkpoint()[0])
        base_image = subject.image_bytes()
    half, full = ([], []), []
    with Subject(bench, 2048, contents="sparse", DMTCP_GZIP="0", **FAST) as subject:
        for _ in range(bench.rounds):
            half[0].append(subject.checkpoint()[0])
        image = subject.image_bytes() - base_image
    with Subject(bench, 1024, DMTCP_GZIP="0", **FAST) as subject:
        for _ in range(bench.rounds):
            full.append(subject.checkpoint()[0])
    table.add("2 GB, every other page: image", image, "B", 1024 * MB, ratio_at_most=1.01)
    table.add("  checkpoint, beside 1 GB in one piece", median(half[0]), "s", median(full))
    for name, pages, contents, megabytes in (("2 GB of resident zeros", "small", "zero", 2048), ("1 TB PROT_NONE", "reserve", "none", 1 << 20),
                                             ("1 TB NORESERVE", "noreserve", "none", 1 << 20)):
        took = []
        with Subject(bench, megabytes, pages, contents, DMTCP_GZIP="0", **FAST) as subject:
            for _ in range(bench.rounds):
                took.append(subject.checkpoint()[0])
            image = subject.image_bytes() - base_image
        table.add(f"{name}: image, beyond the base", max(image, 0), "B", at_most=1e6)
        table.add("  checkpoint, beside the base", median(took), "s", median(base_time))
    return table


def private(pid):
    """Bytes that a process has for itself."""
    fields = dict(line.split(":") for line in read(f"/proc/{pid}/smaps_rollup").splitlines()[1:])
    return 1024 * sum(int(fields[name].split()[0]) for name in ("Private_Clean", "Private_Dirty"))


def steady(bench):
    table = Table(7, "Steady state: a program under dmtcp_launch, nothing is checkpointed", "native", "the least of all rounds, both in turn")
    values = {}

    def samples(name, launched):
        return values.setdefault(name, ([], []))[launched]

    bench.start_coordinator()
    for _ in range(2 * bench.rounds):
        for launched in (0, 1):
            prefix = [bench.tool("dmtcp_launch"), "--join"] if launched else []
            for program in ("steady", "process_costs"):
                out = bench.path("out")
                if os.path.exists(out):
                    os.unlink(out)
                bench.wait(bench.spawn(prefix + [bench.program(program)], out=out))
                for line in read(out).splitlines():
                    name, value = line.rsplit(None, 1)
                    samples(name, launched).append(float(value) * (1e-9 if program == "steady" else 1e-6))
            for _ in range(4):
                begin = time.monotonic()
                bench.wait(bench.spawn(prefix + ["/bin/true"]))
                samples("true", launched).append(time.monotonic() - begin)
            pid = bench.spawn(prefix + ["/bin/sleep", "1000"])
            await_("sleep", lambda: read(f"/proc/{pid}/comm") == "sleep\n" and read(f"/proc/{pid}/wchan") in ("hrtimer_nanosleep", "0"))
            time.sleep(0.05)
            samples("memory", launched).append(private(pid))
            bench.kill(pid)
    bench.stop_coordinator()
    for name, (native, launched) in values.items():
        if name == "true":
            table.add("start-up of true, what it is more", min(launched) - min(native), "s", at_most=0.005)
        elif name == "memory":
            table.add("memory of sleep, what it is more", min(launched) - min(native), "B", at_most=2 * MB)
        else:
            target = 1.25 if "wait" in name else 1.05 if "pthread" in name else 1.01
            table.add(name, min(launched), "s", min(native), ratio_at_most=target)
    return table


def copy_on_write(bench):
    table = Table(8, "A program that dirties 500 MB/s of its 1 GB while its image is written", "before",
                  "memory more: the most that the system had less available meanwhile, image in the page cache not counted")

    def available():
        return next(int(line.split()[1]) for line in read("/proc/meminfo").splitlines() if line.startswith("MemAvailable")) * 1024

    for gzip in ("0", "1"):
        with Subject(bench, 1024, dirty=500, DMTCP_GZIP=gzip, **FAST) as subject:
            rates, before, gaps, more, took = [], [], [], [], []
            for _ in range(bench.rounds if gzip == "0" else 2):
                time.sleep(0.3)
                begin, dirtied = time.monotonic(), subject.board[Board.DIRTIED]
                time.sleep(0.5)
                before.append((subject.board[Board.DIRTIED] - dirtied) / (time.monotonic() - begin))
                free = least = available()
                subject.board[Board.GAP] = 0
                begin, dirtied = time.monotonic(), subject.board[Board.DIRTIED]
                pid = bench.spawn([bench.tool("dmtcp_command"), "-bc"])
                while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                    time.sleep(0.01)
                    least = min(least, available())
                bench.wait(pid)
                took.append(time.monotonic() - begin)
                rates.append((subject.board[Board.DIRTIED] - dirtied) / took[-1])
                gaps.append(subject.board[Board.GAP] / 1e9)
                more.append(free - least)
        form = "gzip" if gzip == "1" else "raw"
        table.add(f"{form}: dirtied meanwhile", median(rates), "B/s", median(before))
        table.add("  largest gap", median(gaps), "s")
        table.add("  memory more", median(more), "B", 1024 * MB)
        table.add("  duration", median(took), "s")
    return table


def scale(bench):
    import resource
    table = Table(9, "Scale of the coordinator: synthetic workers", "per worker", "they live in one process, which has as much to do as the coordinator")
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 64
    for count in (16, 100, 1000, 3000, 10000) if bench.full else (16, 1000, 10000):
        if count > most:
            table.note += f"; {count} workers left out: the hard limit of descriptors is {most + 64}"
            continue
        bench.start_coordinator()
        coordinator = next(int(pid) for pid in os.listdir("/proc") if pid.isdigit() and bench.alive(pid) and is_coordinator(pid, bench))
        resident, secret = rss(coordinator), None
        for directory, _, files in os.walk(bench.environment["DMTCP_TMPDIR"]):
            secret = next((os.path.join(directory, name) for name in files if name == f"coordinator-{bench.environment['DMTCP_COORD_PORT']}.secret"), secret)
        out = bench.path(f"workers.{count}")
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        pid = bench.spawn([bench.program("workers"), bench.environment["DMTCP_COORD_PORT"], secret, str(count)], out=out)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        await_("the workers", lambda: "joined" in read(out) or not bench.alive(pid))
        took, cpu = [], []
        for _ in range(bench.rounds):
            before = cpu_seconds(coordinator)
            took.append(bench.command("-bc"))
            cpu.append(cpu_seconds(coordinator) - before)
        table.add(f"{count} workers: checkpoint", median(took), "s", median(took) / count, at_most=1.0 if count == 10000 else None, workers=count)
        table.rows[-1]["ratio"] = None
        table.add("  CPU time of the coordinator", median(cpu), "s")
        table.add("  its memory, per worker", (rss(coordinator) - resident) / count, "B", at_most=4096 if count >= 1000 else None)
        bench.kill(pid)
        bench.stop_coordinator()
    return table


def is_coordinator(pid, bench):
    try:
        return read(f"/proc/{pid}/cmdline").startswith(bench.tool("dmtcp_coordinator")) and bench.directory in read(f"/proc/{pid}/cmdline")
    except OSError:
        return False


def rss(pid):
    return int(read(f"/proc/{pid}/statm").split()[1]) * 4096


def cpu_seconds(pid):
    words = read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def crowd(bench):
    table = Table(10, "Real processes: 200 small ones and their parent", "")
    took, again = [], []
    for _ in range(max(2, bench.rounds // 2)):
        with Subject(bench, 200, program=bench.program("crowd"), DMTCP_GZIP="0", **FAST) as subject:
            def all_tick():
                return all(subject.board[Board.SLOTS + i] for i in range(201))
            await_("200 processes", all_tick)
            await_("200 workers", lambda: "NUM_PEERS=201" in status(bench))
            for _ in range(3):
                took.append(bench.command("-bc"))
            subject.kill()
            for i in range(201):
                subject.board[Board.SLOTS + i] = 0
            begin = time.monotonic_ns()
            subject.pid = bench.spawn([bench.tool("dmtcp_restart"), "--join", *bench.images()])
            await_("200 restarted processes", lambda: all_tick() or subject.dead())
            again.append((max(subject.board[Board.SLOTS + i] for i in range(201)) - begin) / 1e9)
            await_("the coordinator's word", subject.running)
    table.add("checkpoint", median(took), "s", at_most=1.5)
    table.add("restart, to the last one's first instruction", median(again), "s", at_most=2.0)
    return table


def status(bench):
    return subprocess.run([bench.tool("dmtcp_command"), "-s"], capture_output=True, text=True, env=bench.environment).stdout


ALL = [pause, whole, write, gzip, restart, sparse, steady, copy_on_write, scale, crowd]
