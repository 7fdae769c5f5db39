import fcntl, mmap, os, sys, tempfile, time

def step(n):
    with open(os.environ["STEP_DIR"] + "/ready.new", "w") as f:
        f.write(str(n))
    os.rename(os.environ["STEP_DIR"] + "/ready.new", os.environ["STEP_DIR"] + "/ready")
    while True:
        if os.path.exists(os.environ["STEP_DIR"] + "/go.%d" % n):
            return True
        if os.path.exists(os.environ["STEP_DIR"] + "/end"):
            return False
        time.sleep(0.002)

temporary = tempfile.TemporaryFile(dir=".")
named = tempfile.NamedTemporaryFile(dir=".")
spooled = tempfile.SpooledTemporaryFile(max_size=10, dir=".")
temporary.write(b"\0" * 8192)
temporary.flush()
shared = mmap.mmap(temporary.fileno(), 8192)
named.write(b"named 0\n")
spooled.write(b"more than ten bytes, so a file")
lock = open("lock", "w")
fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
memory = os.memfd_create("python")
os.write(memory, b"memory")

n = 1
while step(n):
    shared[n] = n
    assert os.pread(temporary.fileno(), 1, n) == bytes([n])
    named.write(b"named %d\n" % n)
    named.flush()
    assert open(named.name, "rb").read().endswith(b"named %d\n" % n)
    spooled.seek(0)
    assert spooled.read() == b"more than ten bytes, so a file"
    assert os.pread(memory, 10, 0) == b"memory"
    pid = os.fork()
    if pid == 0:
        try:
            fcntl.lockf(os.open("lock", os.O_RDWR), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os._exit(0)
        os._exit(1)
    assert os.waitpid(pid, 0)[1] == 0
    n += 1
named.close()
print("files kept", n)
