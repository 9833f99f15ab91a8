(use-modules (ice-9 popen) (ice-9 rdelim) (ice-9 threads) (rnrs bytevectors))

(define (check right part)
  (if (not right) (error part))
  (display part)
  (display " ok\n")
  (force-output))

(check (= 10 (apply + (map join-thread (map (lambda (i) (make-thread (lambda () i))) '(1 2 3 4))))) "threads")

(let* ((port (open-input-pipe "echo from a child")) (line (read-line port)))
  (check (and (zero? (close-pipe port)) (string=? line "from a child")) "process"))

(let ((listening (socket PF_INET SOCK_STREAM 0)) (client (socket PF_INET SOCK_STREAM 0)))
  (bind listening AF_INET INADDR_LOOPBACK 0)
  (listen listening 1)
  (connect client AF_INET INADDR_LOOPBACK (sockaddr:port (getsockname listening)))
  (let ((served (car (accept listening))))
    (display "hello\n" served)
    (force-output served)
    (check (string=? (read-line client) "hello") "socket")))

(let* ((port (mkstemp! (string-copy "/tmp/exercise-XXXXXX"))) (name (port-filename port)))
  (display "hello" port)
  (close-port port)
  (check (string=? (call-with-input-file name read-string) "hello") "file")
  (delete-file name))

(check (and (string? (setlocale LC_ALL "")) (string=? (string-upcase "é") "É")) "locale")

(check (string=? (strftime "%F %R %Z" (localtime 1700000000 "Asia/Tokyo")) "2023-11-15 07:13 JST") "zone")

(check (= (bytevector-u8-ref (make-bytevector (* 96 1024 1024) 1) 100663295) 1) "memory")
