program Pids;
uses
  BaseUnix;
var
  i: longint;
  pid: TPid;
begin
  for i := 1 to 200 do
  begin
    pid := FpFork;
    if pid = 0 then
    begin
      FpSleep(30);
      FpExit(0);
    end;
    if pid < 0 then
    begin
      writeln('refused');
      halt(0);
    end;
  end;
  writeln('never refused');
  halt(1);
end.
