import os, sqlite3, sys, time

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

def connect():
    db = sqlite3.connect("wal.db", isolation_level=None, timeout=20)
    db.execute("pragma journal_mode=wal")
    return db

def writer(ask, answer):
    db = connect()
    while True:
        n = os.read(ask, 1)
        if not n:
            os._exit(0)
        db.execute("begin immediate")
        db.execute("insert or replace into t values (?, ?)", (n[0], "x" * 5000))
        db.execute("commit")
        db.execute("begin immediate")   # held over the next checkpoint, with its lock
        db.execute("insert or replace into t values (?, 'uncommitted')", (1000 + n[0],))
        os.write(answer, n)
        os.read(ask, 1)
        db.execute("rollback")
        os.write(answer, n)

connect().execute("create table t(n integer primary key, s text)")
down, up = os.pipe(), os.pipe()
if os.fork() == 0:
    os.close(down[1])
    writer(down[0], up[1])
os.close(down[0])
db = connect()

def ask(n):
    os.write(down[1], bytes([n]))
    assert os.read(up[0], 1) == bytes([n])

ask(0)
n = 1
reader = db.cursor()
reader.execute("begin")
assert reader.execute("select count(*) from t").fetchone() == (1,)   # a snapshot, held as well
while step(n):
    ask(0) if n == 1 else ask(n - 1)   # rolled back
    assert reader.execute("select count(*) from t").fetchone() == (n,)
    reader.execute("commit")
    ask(n)
    reader.execute("begin")
    assert reader.execute("select count(*) from t").fetchone() == (n + 1,)
    try:
        sqlite3.connect("wal.db", isolation_level=None, timeout=0).execute("begin immediate")
        assert False, "two writers"
    except sqlite3.OperationalError:
        pass
    n += 1
ask(n - 1)
reader.execute("commit")
os.close(down[1])
os.wait()
print(db.execute("pragma integrity_check").fetchall(), db.execute("select n, length(s) from t").fetchall())
