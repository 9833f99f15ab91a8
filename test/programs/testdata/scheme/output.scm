(let loop ()
  (display "0123456789abcdef\n")
  (loop))
