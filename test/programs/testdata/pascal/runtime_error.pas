program Runtime;
{$R+}
var
  values: array[1..3] of longint;
  i: longint;
begin
  i := ParamCount + 9;
  writeln(values[i]);
end.
