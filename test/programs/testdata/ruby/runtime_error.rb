nobody = nil
puts nobody.length
