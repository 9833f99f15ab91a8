(display "before\n")
(define (broken x)
