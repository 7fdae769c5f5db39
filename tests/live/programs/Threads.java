import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.HashMap;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;

/** Several threads that compute and leave garbage, so that the collector runs; main collects and writes a file that stays open. */
public class Threads {
    static final Path dir = Path.of(System.getenv("STEP_DIR"));

    static boolean step(int number) throws Exception {
        Files.writeString(dir.resolve("ready.new"), Integer.toString(number));
        Files.move(dir.resolve("ready.new"), dir.resolve("ready"), StandardCopyOption.ATOMIC_MOVE);
        while (true) {
            if (Files.exists(dir.resolve("go." + number)))
                return true;
            if (Files.exists(dir.resolve("end")))
                return false;
            Thread.sleep(2);
        }
    }

    static class Worker extends Thread {
        final BlockingQueue<Integer> wanted = new LinkedBlockingQueue<>();
        final BlockingQueue<Long> results = new LinkedBlockingQueue<>();
        long random;

        Worker(long seed) {
            random = seed;
            setDaemon(true);
        }

        public void run() {
            try {
                for (int rounds; (rounds = wanted.take()) > 0;) {
                    long sum = 0;
                    HashMap<String, byte[]> map = new HashMap<>();
                    for (int i = 0; i < rounds; i++) {
                        random = random * 6364136223846793005L + 1442695040888963407L;
                        map.put(Long.toHexString(random >>> 52), new byte[(int) (random >>> 54)]);
                        sum += map.size() + random % 1000;
                    }
                    for (byte[] block : map.values())
                        sum += block.length;
                    results.put(sum);
                }
            } catch (InterruptedException e) {
                System.exit(3);
            }
        }
    }

    public static void main(String[] args) throws Exception {
        Worker[] workers = new Worker[4];
        for (int i = 0; i < workers.length; i++) {
            workers[i] = new Worker(i + 1);
            workers[i].start();
            workers[i].wanted.put(100000);
        }
        PrintWriter progress = new PrintWriter("progress");
        for (int number = 1;; number++) {
            boolean more = step(number); // the workers compute meanwhile
            for (Worker worker : workers) {
                progress.println(number + " " + worker.results.take());
                worker.wanted.put(more ? 100000 : 0);
            }
            progress.flush();
            System.gc();
            System.out.println("step " + number);
            if (!more)
                break;
        }
        for (Worker worker : workers)
            worker.join();
        progress.close();
    }
}
