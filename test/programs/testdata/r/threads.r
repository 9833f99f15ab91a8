# The language has no threads: processes, all at once.
parts <- parallel::mclapply(1:4, function(first) sum(seq(first, 1000, 4)), mc.cores = 4)
cat("sum ", sum(unlist(parts)), "\n", sep = "")
