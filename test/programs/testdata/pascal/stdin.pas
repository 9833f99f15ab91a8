program Sums;
var
  values: array[1..1000] of longint;
  n, i, j, v, sum: longint;
  output_file: text;
begin
  n := 0;
  sum := 0;
  while not SeekEof do
  begin
    read(v);
    sum := sum + v;
    j := n;
    while (j >= 1) and (values[j] > v) do
    begin
      values[j + 1] := values[j];
      j := j - 1;
    end;
    values[j + 1] := v;
    n := n + 1;
  end;
  writeln('sum ', sum);
  write('sorted');
  for i := 1 to n do
    write(' ', values[i]);
  writeln;
  assign(output_file, 'out.txt');
  rewrite(output_file);
  writeln(output_file, 'count ', n);
  close(output_file);
end.
