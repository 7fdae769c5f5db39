# A server process (socketserver over a unix socket) and a multiprocessing listener with authentication, used by this process across checkpoints.
import os, socket, socketserver, sys, time, multiprocessing
from multiprocessing.connection import Listener, Client

step_dir, number = os.environ["STEP_DIR"], 0


def step():
    global number
    number += 1
    with open(step_dir + "/ready.new", "w") as file:
        file.write(str(number))
    os.rename(step_dir + "/ready.new", step_dir + "/ready")
    while not os.path.exists(f"{step_dir}/go.{number}"):
        if os.path.exists(step_dir + "/end"):
            return False
        time.sleep(0.002)
    return True


class Upper(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.wfile.write(line.upper())


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


def serve(path, ready):
    with Server(path, Upper) as server:
        ready.set()
        server.serve_forever()


def add(path, ready):
    with Listener(path, "AF_UNIX", authkey=b"secret") as listener:
        ready.set()
        while True:
            with listener.accept() as connection:
                try:
                    while True:
                        connection.send(sum(connection.recv()))
                except EOFError:
                    pass


def main():
    context = multiprocessing.get_context("fork")
    workers = []
    for work, path in (serve, "upper.sock"), (add, "add.sock"):
        ready = context.Event()
        worker = context.Process(target=work, args=(path, ready), daemon=True)
        worker.start()
        ready.wait()
        workers.append(worker)
    upper = socket.socket(socket.AF_UNIX)
    upper.connect("upper.sock")
    adder = Client("add.sock", "AF_UNIX", authkey=b"secret")
    while True:
        upper.sendall(b"first line\n")
        adder.send([1, 2, 3])
        more = step()
        assert upper.makefile().readline() == "FIRST LINE\n"
        assert adder.recv() == 6
        with socket.socket(socket.AF_UNIX) as other:
            other.connect("upper.sock")
            other.sendall(b"another\n")
            assert other.makefile().readline() == "ANOTHER\n"
        if number % 2 == 0:
            adder.close()
            adder = Client("add.sock", "AF_UNIX", authkey=b"secret")
        if not more:
            break
    adder.close()
    for worker in workers:
        worker.terminate()
        worker.join()
    os.unlink("upper.sock")
    if os.path.exists("add.sock"):
        os.unlink("add.sock")
    print("connections kept")


main()
