(use-modules (ice-9 format))
(define values-read
  (let loop ((v (read)) (all '()))
    (if (eof-object? v) all (loop (read) (cons v all)))))
(define sorted (sort values-read <))
(format #t "sum ~a\n" (apply + sorted))
(format #t "sorted ~{~a~^ ~}\n" sorted)
(call-with-output-file "out.txt"
  (lambda (port) (format port "count ~a\n" (length sorted))))
