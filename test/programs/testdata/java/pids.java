public class Main {
    public static void main(String[] args) {
        for (int i = 0; i < 400; i++) {
            Thread thread = new Thread(() -> {
                try {
                    Thread.sleep(30_000);
                } catch (InterruptedException e) {
                    return;
                }
            });
            try {
                thread.start();
            } catch (OutOfMemoryError e) {
                System.out.println("refused");
                Runtime.getRuntime().halt(0);
            }
        }
        System.out.println("never refused");
        Runtime.getRuntime().halt(1);
    }
}
