public class Main {
    public static void main(String[] args) {
        String nobody = args.length > 9 ? "" : null;
        System.out.println(nobody.length());
    }
}
