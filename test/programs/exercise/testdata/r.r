check <- function(right, part) {
  stopifnot(right)
  cat(part, "ok\n")
}

parts <- parallel::mclapply(0:3, function(i) i, mc.cores = 4)
check(sum(unlist(parts)) == 6, "threads")

check(identical(system("echo from a child", intern = TRUE), "from a child"), "process")

listening <- serverSocket(45321)
client <- socketConnection("127.0.0.1", 45321, open = "r+", blocking = TRUE)
served <- socketAccept(listening, open = "r+", blocking = TRUE)
writeLines("hello", served)
check(identical(readLines(client, 1), "hello"), "socket")

name <- tempfile()
writeLines("hello", name)
text <- readLines(name)
unlink(name)
check(identical(text, "hello") && !file.exists(name), "file")

check(toupper("\u00e9") == "\u00c9", "locale")
check(format(as.POSIXct(1700000000, origin = "1970-01-01", tz = "Asia/Tokyo"), "%Y-%m-%d %H:%M %Z") == "2023-11-15 07:13 JST", "zone")

block <- rep(1, 12 * 1024 * 1024)
check(sum(block) == length(block), "memory")
