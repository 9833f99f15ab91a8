program Memory;
var
  block: pointer;
begin
  while true do
  begin
    GetMem(block, 1024 * 1024);
    FillChar(block^, 1024 * 1024, 1);
  end;
end.
