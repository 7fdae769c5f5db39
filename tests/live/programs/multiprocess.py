# A pool, a manager's dictionary, queues, locks and shared memory of multiprocessing, by the start method given.
import multiprocessing, os, sys, time
from multiprocessing import shared_memory

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


def prepare(lock, value, array):
    global shared
    shared = lock, value, array


def work(n):
    lock, value, array = shared
    with lock:
        value.value += n
        array[n % len(array)] += 1
    return n * n


def echo(name, wanted, results, barrier):
    memory = shared_memory.SharedMemory(name)
    while (item := wanted.get()) is not None:
        barrier.wait()
        memory.buf[item] += 1
        results.put((item, memory.buf[item]))
    memory.close()


if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    lock, value, array = context.Lock(), context.Value("l", 0), context.Array("i", 7)
    memory = shared_memory.SharedMemory(create=True, size=5000)
    wanted, results, barrier = context.Queue(), context.SimpleQueue(), context.Barrier(2)
    other = context.Process(target=echo, args=(memory.name, wanted, results, barrier))
    other.start()
    with context.Pool(2, prepare, (lock, value, array)) as pool:
        expected, number = 0, 1
        print(sum(pool.map(work, range(50), chunksize=5)), value.value)
        while step(number):
            expected += sum(range(50))
            assert value.value == expected, (value.value, expected)
            print(number, sum(pool.map(work, range(50), chunksize=5)), value.value, list(array))
            wanted.put(number)
            barrier.wait()
            print(results.get(), memory.buf[number], bytes(memory.buf[:6]))
            assert lock.acquire(timeout=20)
            lock.release()
            number += 1
    wanted.put(None)
    other.join()
    assert other.exitcode == 0
    memory.close()
    memory.unlink()
