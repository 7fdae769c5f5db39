# A message bus with two clients that speak its protocol themselves: one calls, one answers; a call is under way at each step. There is a third,
# other people's: dbus-monitor.
import os, socket, struct, subprocess, time
import steps

CALL, RETURN, ERROR, SIGNAL = 1, 2, 3, 4


def marshal_string(text):
    text = text.encode()
    return struct.pack("<I", len(text)) + text + b"\0"


def padded(data, to):
    return data + b"\0" * (-len(data) % to)


class Client:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.buffer = b""
        self.serial = 0
        self.socket.sendall(b"\0AUTH EXTERNAL " + str(os.getuid()).encode().hex().encode() + b"\r\n")
        assert self.socket.recv(1000).startswith(b"OK ")
        self.socket.sendall(b"BEGIN\r\n")
        self.call("org.freedesktop.DBus", "Hello")
        self.name = self.receive()["strings"][0]

    def send(self, kind, fields, strings=()):
        self.serial += 1
        body = b""
        for text in strings:
            body = padded(body, 4) + marshal_string(text)
        if strings:
            fields = fields + [(8, "g", "s" * len(strings))]
        array = b""
        for code, signature, value in fields:
            array = padded(array, 8) + bytes([code, 1]) + signature.encode() + b"\0"
            if signature == "u":
                array += struct.pack("<I", value)
            elif signature == "g":
                array += bytes([len(value)]) + value.encode() + b"\0"
            else:
                array += marshal_string(value)
        header = struct.pack("<BBBBIII", ord("l"), kind, 0, 1, len(body), self.serial, len(array)) + array
        self.socket.sendall(padded(header, 8) + body)
        return self.serial

    def call(self, destination, member, *strings):
        interface = "example.Upper" if destination[0] == ":" else destination
        return self.send(CALL, [(1, "o", "/"), (2, "s", interface), (3, "s", member), (6, "s", destination)], strings)

    def read(self, count):
        while len(self.buffer) < count:
            data = self.socket.recv(65536)
            assert data
            self.buffer += data
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def receive(self):
        """The next message that is no signal."""
        while True:
            head = self.read(16)
            kind = head[1]
            body_size, serial, array_size = struct.unpack("<III", head[4:])
            array = self.read(array_size)
            self.read(-(16 + array_size) % 8)
            body = self.read(body_size)
            message = {"kind": kind, "serial": serial, "strings": []}
            at = 0
            while at < len(array):
                at += -at % 8
                code, signature = array[at], chr(array[at + 2])
                at += 4
                if signature == "g":
                    size = array[at]
                    value = array[at + 1:at + 1 + size].decode()
                    at += size + 2
                else:
                    at += -at % 4
                    size = struct.unpack_from("<I", array, at)[0]
                    value = size
                    at += 4
                    if signature != "u":
                        value = array[at:at + size].decode()
                        at += size + 1
                message[code] = value
            at = 0
            for one in message.get(8, ""):
                if one == "u":
                    break
                at += -at % 4
                size = struct.unpack_from("<I", body, at)[0]
                message["strings"].append(body[at + 4:at + 4 + size].decode())
                at += 5 + size
            if kind != SIGNAL:
                return message


def main():
    path = os.getcwd() + "/bus"
    bus = subprocess.Popen(["dbus-daemon", "--session", "--nofork", "--nopidfile", "--nosyslog", "--address=unix:path=" + path, "--print-address=1"],
                           stdout=subprocess.PIPE)
    assert bus.stdout.readline()
    with open("monitor.out", "w") as monitored:
        monitor = subprocess.Popen(["dbus-monitor", "--address", "unix:path=" + path, "interface=example.Upper"], stdout=monitored)
    asks, answers = Client(path), Client(path)
    answers.send(CALL, [(1, "o", "/"), (2, "s", "org.freedesktop.DBus"), (3, "s", "ReloadConfig"), (6, "s", "org.freedesktop.DBus")])
    assert answers.receive()["kind"] == RETURN
    owner = asks.name
    while True:
        called = asks.call(answers.name, "Upper", "step %d" % steps.number)
        waiting = asks.call("org.freedesktop.DBus", "GetNameOwner", owner)
        more = steps.step()
        got = answers.receive()
        assert got["kind"] == CALL and got[3] == "Upper" and got[7] == asks.name and got["serial"] == called
        answers.send(RETURN, [(5, "u", got["serial"]), (6, "s", got[7])], [got["strings"][0].upper()])
        back = [asks.receive(), asks.receive()]
        assert sorted(message[5] for message in back) == [called, waiting]
        for message in back:
            assert message["strings"] == [owner if message[5] == waiting else "STEP %d" % (steps.number - 1)], message
        new = Client(path)   # the bus sees the credentials of who comes anew
        new.call("org.freedesktop.DBus", "NameHasOwner", answers.name)
        assert new.receive()["kind"] == RETURN
        new.call("org.freedesktop.DBus", "GetConnectionUnixProcessID", new.name)
        assert new.receive()["kind"] == RETURN
        new.socket.close()
        if not more:
            break
    bus.terminate()
    bus.wait(20)
    monitor.wait(20)
    print("calls answered")


main()
