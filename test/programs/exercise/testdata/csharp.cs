using System;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Net;
using System.Net.Sockets;
using System.Threading.Tasks;

static class Program
{
    static void Check(bool right, string part)
    {
        if (!right) throw new Exception(part);
        Console.WriteLine(part + " ok");
    }

    static bool Child()
    {
        var start = new ProcessStartInfo("sh", "-c \"echo from a child\"") { RedirectStandardOutput = true, UseShellExecute = false };
        using (var child = Process.Start(start))
        {
            var text = child.StandardOutput.ReadToEnd();
            child.WaitForExit();
            return child.ExitCode == 0 && text == "from a child\n";
        }
    }

    static bool Loopback()
    {
        var listening = new TcpListener(IPAddress.Loopback, 0);
        listening.Start();
        // By address: Mono finds no name, not even one that is an address, where it
        // cannot list the interfaces of the machine, and a cell has none to list.
        using (var client = new TcpClient())
        {
            client.Connect((IPEndPoint)listening.LocalEndpoint);
            var served = listening.AcceptTcpClient();
            var writer = new StreamWriter(served.GetStream()) { AutoFlush = true };
            writer.WriteLine("hello");
            return new StreamReader(client.GetStream()).ReadLine() == "hello";
        }
    }

    static bool Files()
    {
        var name = Path.GetTempFileName();
        File.WriteAllText(name, "hello");
        var text = File.ReadAllText(name);
        File.Delete(name);
        return text == "hello" && !File.Exists(name);
    }

    static bool Zone()
    {
        var moment = new DateTime(2023, 11, 14, 22, 13, 20, DateTimeKind.Utc);
        var tokyo = TimeZoneInfo.FindSystemTimeZoneById("Asia/Tokyo");
        return TimeZoneInfo.ConvertTimeFromUtc(moment, tokyo).ToString("yyyy-MM-dd HH:mm") == "2023-11-15 07:13";
    }

    static bool Memory()
    {
        var block = Enumerable.Repeat((byte)1, 96 << 20).ToArray();
        return block[block.Length - 1] == 1;
    }

    static void Main()
    {
        Check(Task.WhenAll(Enumerable.Range(1, 4).Select(i => Task.Run(() => i))).Result.Sum() == 10, "threads");
        Check(Child(), "process");
        Check(Loopback(), "socket");
        Check(Files(), "file");
        Check(1234.5.ToString("N1", new CultureInfo("de-DE")) == "1.234,5" && "é".ToUpper() == "É", "locale");
        Check(Zone(), "zone");
        Check(Memory(), "memory");
    }
}
