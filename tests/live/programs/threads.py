# Four threads compute, main collects their results step by step and writes them to a file that stays open.
import collections, gc, hashlib, os, queue, sys, threading, time

STEP_DIR = os.environ["STEP_DIR"]


def step(number):
    with open(STEP_DIR + "/ready.new", "w") as f:
        f.write(str(number))
    os.rename(STEP_DIR + "/ready.new", STEP_DIR + "/ready")
    while True:
        if os.path.exists(f"{STEP_DIR}/go.{number}"):
            return True
        if os.path.exists(f"{STEP_DIR}/end"):
            return False
        time.sleep(0.002)


class Worker(threading.Thread):
    def __init__(self, seed):
        super().__init__(name=f"worker-{seed}", daemon=True)
        self.state = hashlib.sha256(str(seed).encode())
        self.wanted = queue.Queue()
        self.results = queue.Queue()
        self.local = threading.local()

    def run(self):
        self.local.seed = id(self)
        memo = collections.OrderedDict()
        while True:
            rounds = self.wanted.get()
            if rounds is None:
                return
            for i in range(rounds):
                self.state.update(b"%d" % i)
                memo[i % 997] = self.state.hexdigest()
            assert self.local.seed == id(self)
            self.results.put(hashlib.md5("".join(memo.values()).encode()).hexdigest())


workers = [Worker(seed) for seed in range(4)]
for worker in workers:
    worker.start()
    worker.wanted.put(20000)
progress = open("progress", "w")
number = 1
while True:
    more = step(number)  # the workers compute meanwhile
    for worker in workers:
        print(number, worker.name, worker.results.get(timeout=60), file=progress)
        worker.wanted.put(20000 if more else None)
    progress.flush()
    print("step", number)
    gc.collect()
    number += 1
    if not more:
        break
for worker in workers:
    worker.join()
progress.close()
