import std.stdio;

void main()
{
    for (;;)
        writeln("0123456789abcdef");
}
