using System;

static class Program
{
    static void Main()
    {
        for (;;)
            Console.WriteLine("0123456789abcdef");
    }
}
