require 'open3'
require 'socket'
require 'tempfile'
require 'time'

def check(right, part)
  raise part unless right
  puts "#{part} ok"
end

$stdout.sync = true
check((1..4).map { |i| Thread.new { sleep 0.001; i } }.sum(&:value) == 10, 'threads')

out, status = Open3.capture2('sh', '-c', 'echo from a child')
Process.wait(fork { exit 3 })
check(out == "from a child\n" && status.success? && $?.exitstatus == 3, 'process')

server = TCPServer.new('127.0.0.1', 0)
serving = Thread.new { server.accept.then { |served| served.puts 'hello'; served.close } }
answer = TCPSocket.open('127.0.0.1', server.addr[1], &:gets)
serving.join
check(answer == "hello\n", 'socket')

text = Tempfile.create('exercise') { |f| f.write('hello'); f.rewind; f.read }
check(text == 'hello', 'file')

check(Encoding.default_external == Encoding::UTF_8 && 'é'.upcase == 'É', 'locale')

ENV['TZ'] = 'Asia/Tokyo'
check(Time.at(1_700_000_000).strftime('%F %R %Z') == '2023-11-15 07:13 JST', 'zone')

check(("\1" * (96 << 20)).bytesize == 96 << 20, 'memory')
