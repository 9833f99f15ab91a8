using System.Collections.Generic;

static class Program
{
    static void Main()
    {
        var blocks = new List<byte[]>();
        for (;;)
        {
            var block = new byte[1 << 20];
            for (int at = 0; at < block.Length; at += 4096)
                block[at] = 1;
            blocks.Add(block);
        }
    }
}
