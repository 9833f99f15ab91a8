program Exercise;
{$mode objfpc}{$H+}
uses
  cthreads, BaseUnix, Unix, Sockets, SysUtils;

procedure Check(right: boolean; const part: string);
begin
  if not right then
    raise Exception.Create(part);
  writeln(part, ' ok');
  flush(output);
end;

var
  sum: longint = 0;

function Count(p: pointer): ptrint;
begin
  InterlockedIncrement(sum);
  Count := 0;
end;

procedure Threads;
var
  all: array[1..4] of TThreadID;
  i: integer;
begin
  for i := 1 to 4 do
    all[i] := BeginThread(@Count, nil);
  for i := 1 to 4 do
    WaitForThreadTerminate(all[i], 0);
  Check(sum = 4, 'threads');
end;

procedure Child;
var
  pipe: text;
  line: string;
begin
  POpen(pipe, 'echo from a child', 'R');
  readln(pipe, line);
  Check((PClose(pipe) = 0) and (line = 'from a child'), 'process');
end;

procedure Loopback;
var
  at: TInetSockAddr;
  size: TSockLen;
  listening, client, served: longint;
  word: shortstring;
begin
  listening := fpSocket(AF_INET, SOCK_STREAM, 0);
  client := fpSocket(AF_INET, SOCK_STREAM, 0);
  FillChar(at, sizeof(at), 0);
  at.sin_family := AF_INET;
  at.sin_addr := StrToNetAddr('127.0.0.1');
  size := sizeof(at);
  if (fpBind(listening, @at, size) <> 0) or (fpListen(listening, 1) <> 0) or
     (fpGetSockName(listening, @at, @size) <> 0) or (fpConnect(client, @at, size) <> 0) then
    raise Exception.Create('socket');
  served := fpAccept(listening, nil, nil);
  word := 'hello';
  fpSend(served, @word[1], 5, 0);
  word := '     ';
  Check((fpRecv(client, @word[1], 5, 0) = 5) and (word = 'hello'), 'socket');
end;

procedure Files;
var
  name, line: string;
  f: text;
begin
  name := GetTempFileName;
  Assign(f, name);
  Rewrite(f);
  writeln(f, 'hello');
  Close(f);
  Reset(f);
  readln(f, line);
  Close(f);
  Check((line = 'hello') and DeleteFile(name), 'file');
end;

procedure Memory;
var
  block: array of byte;
begin
  SetLength(block, 96 * 1024 * 1024);
  FillChar(block[0], Length(block), 1);
  Check(block[High(block)] = 1, 'memory');
end;

begin
  Threads;
  Child;
  Loopback;
  Files;
  Check(FormatFloat('0.00', 1.25) = '1.25', 'locale');
  Check(Abs(GetLocalTimeOffset) <= 14 * 60, 'zone'); { in minutes; no zone by name }
  Memory;
end.
