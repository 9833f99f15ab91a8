repeat cat("0123456789abcdef\n")
