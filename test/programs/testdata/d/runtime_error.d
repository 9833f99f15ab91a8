import std.stdio;

void main(string[] args)
{
    auto values = new int[](3);
    writeln(values[args.length + 9]);
}
