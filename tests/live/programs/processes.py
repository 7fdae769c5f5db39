"""Pools of processes in all ways that need no sockets with names, and subprocess; the output is the same each time."""
import multiprocessing as mp
import os
import subprocess
import sys

def square(n):
    return n * n

def slow(n):
    total = 0
    for i in range(20000):
        total += i % (n + 1)
    return total

def talk(connection):
    while (text := connection.recv()) is not None:
        connection.send(text.upper())

def count(queue, lock, total, n):
    for _ in range(5):
        with lock:
            total.value += n
    queue.put(n)

def say(*words):
    print(*words, flush=True)

if __name__ == "__main__":
    method = sys.argv[1]
    context = mp.get_context(method)
    for turn in range(int(sys.argv[2])):
        with context.Pool(3) as pool:
            say("pool", sum(pool.imap(square, range(20), chunksize=2)))
            say("slow", sum(pool.map(slow, range(12))))
        ours, theirs = context.Pipe()
        talker = context.Process(target=talk, args=(theirs,))
        talker.start()
        for word in "one", "two", "three":
            ours.send(word)
            say(ours.recv())
        ours.send(None)
        talker.join()
        say("talker", talker.exitcode)
        queue, lock, total = context.Queue(), context.Lock(), context.Value("i", 0)
        counters = [context.Process(target=count, args=(queue, lock, total, n)) for n in range(1, 4)]
        for counter in counters:
            counter.start()
        say("queue", sorted(queue.get() for _ in counters))
        for counter in counters:
            counter.join()
        say("total", total.value)
        say(subprocess.run("echo out; echo err >&2; exit 3", shell=True, capture_output=True))
        with subprocess.Popen(["tr", "a-z", "A-Z"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as tr:
            say(tr.communicate("through tr")[0])
        say(os.popen("echo popen").read().strip(), os.system("exit 4") >> 8)
        pid = os.posix_spawnp("sh", ["sh", "-c", "exit 5"], os.environ)
        say("spawned", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
