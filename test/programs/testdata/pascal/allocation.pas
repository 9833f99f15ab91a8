program Allocation;
var
  blocks: array[1..96] of pointer;
  i: longint;
begin
  for i := 1 to 96 do
  begin
    GetMem(blocks[i], 1024 * 1024);
    FillChar(blocks[i]^, 1024 * 1024, 1);
  end;
  writeln(i, ' blocks');
end.
