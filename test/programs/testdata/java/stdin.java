import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Scanner;

public class Main {
    public static void main(String[] args) throws IOException {
        List<Long> values = new ArrayList<>();
        Scanner in = new Scanner(System.in);
        long sum = 0;
        while (in.hasNextLong()) {
            values.add(in.nextLong());
        }
        Collections.sort(values);
        StringBuilder line = new StringBuilder("sorted");
        for (long v : values) {
            sum += v;
            line.append(' ').append(v);
        }
        System.out.println("sum " + sum);
        System.out.println(line);
        Files.writeString(Path.of("out.txt"), "count " + values.size() + "\n");
    }
}
