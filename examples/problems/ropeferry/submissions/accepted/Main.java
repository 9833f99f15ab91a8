import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.util.StringTokenizer;

public class Main {
	static int[] weights;

	// came[i][d + limit]: the side of crate i by which lean d was reached, or 0.
	static byte[][] reach(int limit) {
		byte[][] came = new byte[weights.length + 1][2 * limit + 1];
		came[0][limit] = 'S';
		for (int i = 0; i < weights.length; i++) {
			boolean any = false;
			for (int d = 0; d <= 2 * limit; d++) {
				if (came[i][d] == 0)
					continue;
				if (d + weights[i] <= 2 * limit) {
					came[i + 1][d + weights[i]] = 'L';
					any = true;
				}
				if (d - weights[i] >= 0) {
					came[i + 1][d - weights[i]] = 'R';
					any = true;
				}
			}
			if (!any)
				return null;
		}
		return came;
	}

	public static void main(String[] args) throws IOException {
		BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
		int n = Integer.parseInt(in.readLine().trim());
		weights = new int[n];
		StringTokenizer tokens = new StringTokenizer(in.readLine());
		for (int i = 0; i < n; i++)
			weights[i] = Integer.parseInt(tokens.nextToken());
		int low = 1, high = 1000;
		while (low < high) {
			int middle = (low + high) / 2;
			if (reach(middle) != null)
				high = middle;
			else
				low = middle + 1;
		}
		byte[][] came = reach(low);
		int at = 0;
		while (came[n][at] == 0)
			at++;
		char[] sides = new char[n];
		for (int i = n; i > 0; i--) {
			sides[i - 1] = (char) came[i][at];
			at += sides[i - 1] == 'L' ? -weights[i - 1] : weights[i - 1];
		}
		System.out.println(low);
		System.out.println(new String(sides));
	}
}
