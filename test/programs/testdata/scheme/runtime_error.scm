(display "before\n")
(display (vector-ref (vector 1 2 3) 9))
