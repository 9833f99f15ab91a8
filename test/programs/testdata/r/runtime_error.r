cat("before\n")
stop("nobody catches this")
cat("never printed\n")
