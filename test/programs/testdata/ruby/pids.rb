200.times do
  begin
    fork { sleep 30 }
  rescue Errno::EAGAIN
    puts 'refused'
    exit! 0 if $stdout.flush
  end
end
puts 'never refused'
exit 1
