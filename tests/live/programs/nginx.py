# Starts nginx, a master with two workers, and asks it over connections that are kept: one with half of a request sent, one whose answer is not read, one
# that is idle. The master is told to start new workers.
import os, signal, socket, subprocess, time
import steps

SIZE = 3000000


def connect():
    connection = socket.socket(socket.AF_UNIX)
    connection.connect("nginx.sock")
    return connection, connection.makefile("rb")


def answer(file):
    status = file.readline()
    assert status.startswith(b"HTTP/1.1 200"), status
    length = 0
    while True:
        line = file.readline().strip().lower()
        if not line:
            break
        if line.startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    body = file.read(length)
    assert len(body) == length
    return body


def configure(generation):
    with open("nginx.conf", "w") as file:
        file.write("""
worker_processes 2;
daemon off;
%s
pid nginx.pid;
error_log nginx.log;
events { worker_connections 64; }
http {
    access_log access.log;
    client_body_temp_path .; proxy_temp_path .; fastcgi_temp_path .; uwsgi_temp_path .; scgi_temp_path .;
    server {
        listen unix:nginx.sock;
        root .;
        location /small { return 200 "small answer"; }
        location /generation { return 200 "%d"; }
    }
}
""" % ("user root;" if os.getuid() == 0 else "", generation))


def main():
    body = bytes(n * n % 251 for n in range(SIZE))
    with open("body", "wb") as file:
        file.write(body)
    configure(0)
    server = subprocess.Popen(["nginx", "-p", os.getcwd() + "/", "-c", "nginx.conf", "-e", "nginx.log"])
    while True:
        try:
            idle, idle_file = connect()
            break
        except (FileNotFoundError, ConnectionRefusedError):
            assert server.poll() is None
            time.sleep(0.01)
    while True:
        half, half_file = connect()
        half.sendall(b"GET /small HTTP/1.1\r\nHo")
        unread, unread_file = connect()
        unread.sendall(b"GET /body HTTP/1.1\r\nHost: x\r\n\r\n")
        unread_file.peek(1)
        idle.sendall(b"GET /small HTTP/1.1\r\nHost: x\r\n\r\n")
        assert answer(idle_file) == b"small answer"
        more = steps.step()
        half.sendall(b"st: x\r\n\r\n")
        assert answer(half_file) == b"small answer"
        assert answer(unread_file) == body
        idle.sendall(b"GET /body HTTP/1.1\r\nHost: x\r\n\r\n")
        assert answer(idle_file) == body
        new, new_file = connect()
        new.sendall(b"GET /small HTTP/1.1\r\nHost: x\r\n\r\n")
        assert answer(new_file) == b"small answer"
        if steps.number % 2 == 0:   # the old workers close what is idle, and end
            configure(steps.number)
            server.send_signal(signal.SIGHUP)
            for file in idle_file, half_file, unread_file, new_file:
                assert file.read() == b""
            while True:   # old workers that have not been told yet may still accept
                idle, idle_file = connect()
                idle.sendall(b"GET /generation HTTP/1.1\r\nHost: x\r\n\r\n")
                if answer(idle_file) == b"%d" % steps.number:
                    break
        if not more:
            break
    server.send_signal(signal.SIGQUIT)
    for connection, file in (idle, idle_file), (half, half_file), (unread, unread_file), (new, new_file):
        assert file.read() == b""
    assert server.wait(20) == 0
    print("answers kept")


main()
