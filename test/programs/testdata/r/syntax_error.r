cat("before\n")
broken <- function( {
