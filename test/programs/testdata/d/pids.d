import core.stdc.stdlib, std.process, std.stdio;

void main()
{
    foreach (i; 0 .. 200)
    {
        try
            spawnProcess(["sleep", "30"]);
        catch (ProcessException e)
        {
            writeln("refused");
            return;
        }
    }
    writeln("never refused");
    exit(1);
}
