blocks <- lapply(1:96, function(i) rep(as.double(i), 131072))
cat(length(blocks), "blocks\n")
