while 1 { puts 0123456789abcdef }
