import java.util.concurrent.atomic.AtomicLong;

public class Main {
    public static void main(String[] args) throws InterruptedException {
        AtomicLong sum = new AtomicLong();
        Thread[] threads = new Thread[4];
        for (int i = 0; i < 4; i++) {
            int first = i + 1;
            threads[i] = new Thread(() -> {
                for (int n = first; n <= 1000; n += 4) {
                    sum.addAndGet(n);
                }
            });
            threads[i].start();
        }
        for (Thread thread : threads) {
            thread.join();
        }
        System.out.println("sum " + sum);
    }
}
