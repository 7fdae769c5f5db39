# Starts a memcached (four threads, unix socket) and uses it over two connections, with an answer under way at each step.
import socket, subprocess, sys, time
import steps

KEYS = 5000


def connect():
    connection = socket.socket(socket.AF_UNIX)
    connection.connect("memcached.sock")
    return connection, connection.makefile("rb")


def main():
    server = subprocess.Popen(["memcached", "-s", "memcached.sock", "-t", "4", "-m", "64", "-u", "root"])
    while True:
        try:
            one, one_file = connect()
            break
        except (FileNotFoundError, ConnectionRefusedError):
            assert server.poll() is None
            time.sleep(0.01)
    two, two_file = connect()
    one.sendall(b"".join(b"set key%d 0 0 6 noreply\r\nv%05d\r\n" % (n, n) for n in range(KEYS)) + b"set count 0 0 1\r\n0\r\n")
    assert one_file.readline() == b"STORED\r\n"
    while True:
        two.sendall(b"get key%d\r\nset half 0 0 9\r\nabcd" % steps.number)   # an answer not read, and half of a command
        more = steps.step()
        n = steps.number - 1
        assert two_file.readline() == b"VALUE key%d 0 6\r\n" % n
        assert two_file.readline() == b"v%05d\r\n" % n
        assert two_file.readline() == b"END\r\n"
        two.sendall(b"efghi\r\n")
        assert two_file.readline() == b"STORED\r\n"
        one.sendall(b"incr count 1\r\n")
        assert one_file.readline() == b"%d\r\n" % (n + 1)
        one.sendall(b"get " + b" ".join(b"key%d" % n for n in range(0, KEYS, 25)) + b"\r\n")
        for n in range(0, KEYS, 25):
            assert one_file.readline() == b"VALUE key%d 0 6\r\n" % n
            assert one_file.readline() == b"v%05d\r\n" % n
        assert one_file.readline() == b"END\r\n"
        new, new_file = connect()
        new.sendall(b"get half\r\n")
        assert new_file.readline() == b"VALUE half 0 9\r\n" and new_file.readline() == b"abcdefghi\r\n"
        if not more:
            break
    server.terminate()
    server.wait(20)
    print("all keys")


main()
