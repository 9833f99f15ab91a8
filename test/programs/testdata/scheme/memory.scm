(use-modules (rnrs bytevectors))

(let loop ((blocks (quote ())))
  (loop (cons (make-bytevector 1048576 1) blocks)))
