# Python's http.server with a thread for each connection, in a process of its own, and urllib and http.client against it.
import http.client, http.server, os, threading, urllib.request
import steps

END = os.environ["STEP_DIR"] + "/end"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))[::-1]
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


def body_of(n):
    return (b"%d " % n) * (1 + n * 977 % 9000)


def urllib_client(port, failures):
    n = 0
    while not os.path.exists(END):
        n += 1
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", data=body_of(n)) as answer:
            if answer.read() != body_of(n)[::-1]:
                failures.append(n)


def lasting_client(port, failures):
    n = 0
    connection = http.client.HTTPConnection("127.0.0.1", port)
    while not os.path.exists(END):
        n += 1
        connection.request("POST", "/", body_of(n))
        if connection.getresponse().read() != body_of(n)[::-1]:
            failures.append(n)


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
child = os.fork()
if not child:
    server.serve_forever()
port = server.server_address[1]
server.socket.close()
failures = []


def run(client):
    try:
        client(port, failures)
    except Exception as e:
        failures.append(repr(e))


threads = [threading.Thread(target=run, args=(client,)) for client in [urllib_client, lasting_client] * 2]
for thread in threads:
    thread.start()
steps.step()
for thread in threads:
    thread.join()
os.kill(child, 9)
os.waitpid(child, 0)
assert not failures, failures
print("all answers were right")
