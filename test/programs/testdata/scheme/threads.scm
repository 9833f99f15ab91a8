(use-modules (ice-9 threads))

(define (add first)
  (let loop ((n first) (part 0))
    (if (> n 1000) part (loop (+ n 4) (+ part n)))))

(define threads (map (lambda (first) (call-with-new-thread (lambda () (add first)))) '(1 2 3 4)))
(display "sum ")
(display (apply + (map join-thread threads)))
(newline)
