threads = (1..4).map do |first|
  Thread.new { (first..1000).step(4).sum }
end
puts "sum #{threads.sum(&:value)}"
