import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;

public class Main {
	public static void main(String[] args) throws IOException {
		BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
		int low = 1, high = Integer.parseInt(in.readLine().trim());
		while (low < high) {
			int middle = low + (high - low) / 2;
			System.out.println("? " + middle);
			System.out.flush();
			in.readLine(); // about something that is known already
			System.out.println("? " + middle);
			System.out.flush();
			String answer = in.readLine();
			if (answer.equals("here")) {
				low = high = middle;
			} else if (answer.equals("nearer")) {
				high = middle - 1;
			} else {
				low = middle + 1;
			}
		}
		System.out.println("! " + low);
		System.out.flush();
	}
}
