import std.algorithm, std.array, std.conv, std.file, std.stdio;

void main()
{
    long[] values;
    foreach (line; stdin.byLine)
        values ~= line.split.map!(to!long).array;
    sort(values);
    writeln("sum ", values.sum);
    writefln("sorted %(%d %)", values);
    std.file.write("out.txt", "count " ~ values.length.to!string ~ "\n");
}
