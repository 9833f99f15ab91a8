for (i in 1:200) {
  refused <- tryCatch({
    parallel::mcparallel(Sys.sleep(30))
    FALSE
  }, error = function(e) TRUE)
  if (refused) {
    cat("refused\n")
    quit(status = 0)
  }
}
cat("never refused\n")
quit(status = 1)
