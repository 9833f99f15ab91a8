using System;
using System.Threading;

static class Program
{
    static void Main()
    {
        long sum = 0;
        var threads = new Thread[4];
        for (int i = 0; i < 4; i++)
        {
            int first = i + 1;
            threads[i] = new Thread(() =>
            {
                for (int n = first; n <= 1000; n += 4)
                    Interlocked.Add(ref sum, n);
            });
            threads[i].Start();
        }
        foreach (var thread in threads)
            thread.Join();
        Console.WriteLine("sum " + sum);
    }
}
