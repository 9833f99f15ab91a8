using System;
using System.IO;
using System.Linq;

static class Program
{
    static void Main()
    {
        var separators = new[] { ' ', '\n' };
        var values = Console.In.ReadToEnd().Split(separators, StringSplitOptions.RemoveEmptyEntries).Select(long.Parse).OrderBy(v => v).ToArray();
        Console.WriteLine("sum " + values.Sum());
        Console.WriteLine("sorted " + string.Join(" ", values));
        File.WriteAllText("out.txt", "count " + values.Length + "\n");
    }
}
