values = STDIN.read.split.map(&:to_i).sort
puts "sum #{values.sum}"
puts "sorted #{values.join(' ')}"
File.write('out.txt', "count #{values.size}\n")
