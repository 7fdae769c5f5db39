# Starts a redis-server and uses it through a unix socket: 50,000 keys, a transaction half said, a client that waits for an element, a subscriber;
# with "save", fewer keys and a background save that is under way at each step (its delay is what the machine may take to come to the checkpoint).
import os, socket, subprocess, sys, time
import steps

save = sys.argv[1:] == ["save"]
KEYS = 2000 if save else 50000


class Client:
    def __init__(self):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect("redis.sock")
        self.file = self.socket.makefile("rb")

    def send(self, *words):
        said = [b"*%d\r\n" % len(words)]
        for word in words:
            word = str(word).encode()
            said.append(b"$%d\r\n%s\r\n" % (len(word), word))
        self.socket.sendall(b"".join(said))

    def answer(self):
        line = self.file.readline()[:-2]
        kind, rest = line[:1], line[1:].decode()
        if kind == b"+":
            return rest
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == "-1" else self.file.read(int(rest) + 2)[:-2].decode()
        if kind == b"*":
            return [self.answer() for _ in range(int(rest))]
        raise Exception(line)

    def ask(self, *words):
        self.send(*words)
        return self.answer()


def main():
    server = subprocess.Popen(["redis-server", "--port", "0", "--unixsocket", "redis.sock", "--save", "", "--appendonly", "no", "--loglevel", "warning",
                               "--logfile", "redis.log"])
    while True:
        try:
            client = Client()
            break
        except (FileNotFoundError, ConnectionRefusedError):
            assert server.poll() is None
            time.sleep(0.01)
    client.ask("eval", "for i=1,%d do redis.call('set', 'key'..i, 'value'..i) end" % KEYS, 0)
    waiting, subscriber, transaction = Client(), Client(), Client()
    subscriber.ask("subscribe", "news")
    if save:
        client.ask("config", "set", "rdb-key-save-delay", "100")
    while True:
        n = steps.number
        waiting.send("blpop", "list", 0)
        transaction.ask("multi")
        transaction.ask("incr", "done")
        client.send("get", "key%d" % (n + 1))   # asked for, not read
        if save:
            assert client.answer() == "value%d" % (n + 1)
            client.ask("bgsave")
        more = steps.step()
        if not save:
            assert client.answer() == "value%d" % (n + 1)
        assert transaction.ask("incr", "done") == "QUEUED"
        assert transaction.ask("exec") == [2 * n + 1, 2 * n + 2]
        client.ask("rpush", "list", "element%d" % n)
        assert waiting.answer() == ["list", "element%d" % n]
        other = Client()
        assert other.ask("publish", "news", n) == 1
        assert subscriber.answer() == ["message", "news", str(n)]
        assert client.ask("dbsize") == KEYS + 1
        assert client.ask("eval", "local n=0 for i=1,%d do if redis.call('get', 'key'..i)=='value'..i then n=n+1 end end return n" % KEYS, 0) == KEYS
        if save:
            while "rdb_bgsave_in_progress:1" in client.ask("info", "persistence"):
                time.sleep(0.01)
            assert "rdb_last_bgsave_status:ok" in client.ask("info", "persistence"), open("redis.log").read()
        if not more:
            break
    client.send("shutdown", "nosave")
    server.wait(20)
    if save:
        subprocess.run(["redis-check-rdb", "dump.rdb"], check=True, stdout=subprocess.DEVNULL)
    print("all keys")


main()
