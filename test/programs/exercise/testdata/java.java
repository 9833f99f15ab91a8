import java.io.InputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.text.NumberFormat;
import java.time.Instant;
import java.time.ZoneId;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

public class Main {
    static void check(boolean right, String part) {
        if (!right) {
            throw new IllegalStateException(part);
        }
        System.out.println(part + " ok");
    }

    static boolean threads() throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(4);
        Callable<Integer> one = () -> 1;
        int sum = 0;
        for (Future<Integer> f : pool.invokeAll(List.of(one, one, one, one))) {
            sum += f.get();
        }
        pool.shutdown();
        return sum == 4;
    }

    static boolean process() throws Exception {
        Process child = new ProcessBuilder("sh", "-c", "echo from a child").start();
        String text = new String(child.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        return child.waitFor() == 0 && text.equals("from a child\n");
    }

    static boolean socket() throws Exception {
        try (ServerSocket listening = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
             Socket client = new Socket(listening.getInetAddress(), listening.getLocalPort());
             Socket served = listening.accept()) {
            served.getOutputStream().write("hello".getBytes(StandardCharsets.UTF_8));
            InputStream in = client.getInputStream();
            return new String(in.readNBytes(5), StandardCharsets.UTF_8).equals("hello");
        }
    }

    static boolean file() throws Exception {
        Path name = Files.createTempFile("exercise", ".txt");
        Files.writeString(name, "hello");
        String text = Files.readString(name);
        Files.delete(name);
        return text.equals("hello");
    }

    static boolean locale() {
        return NumberFormat.getInstance(Locale.GERMANY).format(1234.5).equals("1.234,5") && "é".toUpperCase().equals("É");
    }

    static boolean zone() {
        return Instant.ofEpochSecond(1700000000).atZone(ZoneId.of("Asia/Tokyo")).toString().startsWith("2023-11-15T07:13");
    }

    static boolean memory() {
        byte[] block = new byte[96 << 20];
        Arrays.fill(block, (byte) 1);
        return block[block.length - 1] == 1;
    }

    public static void main(String[] args) throws Exception {
        check(threads(), "threads");
        check(process(), "process");
        check(socket(), "socket");
        check(file(), "file");
        check(locale(), "locale");
        check(zone(), "zone");
        check(memory(), "memory");
    }
}
