puts '0123456789abcdef' while true
