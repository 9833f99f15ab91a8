let () =
  let n = ref 0 in
  while Sys.opaque_identity true do
    incr n
  done
