public class Main {
    public static void main(String[] args) {
        for (;;) {
            System.out.println("0123456789abcdef");
        }
    }
}
