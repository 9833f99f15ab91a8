blocks = (1..96).map { |i| 'x' * ((1 << 20) - i) }
puts "#{blocks.size} blocks"
