(use-modules (rnrs bytevectors))

(define blocks (map (lambda (i) (make-bytevector 1048576 1)) (iota 96)))
(display (length blocks))
(display " blocks\n")
