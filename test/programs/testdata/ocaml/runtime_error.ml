let () =
  let values = [| 1; 2; 3 |] in
  print_int values.(Array.length Sys.argv + 9)
