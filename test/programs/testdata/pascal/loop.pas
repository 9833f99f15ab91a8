program Spin;
var
  n: longint;
begin
  n := 0;
  while true do
    n := (n + 1) mod 1000;
end.
