using System;
using System.Diagnostics;

static class Program
{
    static void Main()
    {
        for (int i = 0; i < 200; i++)
        {
            try
            {
                Process.Start(new ProcessStartInfo("sleep", "30") { UseShellExecute = false });
            }
            catch (Exception)
            {
                Console.WriteLine("refused");
                Environment.Exit(0);
            }
        }
        Console.WriteLine("never refused");
        Environment.Exit(1);
    }
}
