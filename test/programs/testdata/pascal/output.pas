program Flood;
begin
  while true do
    writeln('0123456789abcdef');
end.
