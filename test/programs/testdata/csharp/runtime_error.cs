using System;

static class Program
{
    static void Main()
    {
        var values = new int[3];
        Console.WriteLine(values[Environment.GetCommandLineArgs().Length + 9]);
    }
}
