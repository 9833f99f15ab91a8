(define (start)
  (let ((pid (primitive-fork)))
    (if (zero? pid)
        (begin (sleep 30) (primitive-_exit 0)))))

(let loop ((i 0))
  (if (= i 200)
      (begin (display "never refused\n") (exit 1)))
  (catch 'system-error
    start
    (lambda _ (display "refused\n") (exit 0)))
  (loop (+ i 1)))
