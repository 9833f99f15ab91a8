program Threads;
{$mode objfpc}
uses
  cthreads;

var
  sums: array[1..4] of longint;

function Add(p: pointer): ptrint;
var
  n: longint;
begin
  n := ptrint(p);
  while n <= 1000 do
  begin
    sums[ptrint(p)] := sums[ptrint(p)] + n;
    n := n + 4;
  end;
  Add := 0;
end;

var
  all: array[1..4] of TThreadID;
  i: ptrint;
begin
  for i := 1 to 4 do
    all[i] := BeginThread(@Add, pointer(i));
  for i := 1 to 4 do
    WaitForThreadTerminate(all[i], 0);
  writeln('sum ', sums[1] + sums[2] + sums[3] + sums[4]);
end.
