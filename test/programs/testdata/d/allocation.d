import std.stdio;

void main()
{
    ubyte[][] blocks;
    foreach (i; 0 .. 96)
    {
        auto block = new ubyte[](1 << 20);
        block[] = 1;
        blocks ~= block;
    }
    writeln(blocks.length, " blocks");
}
