let () =
  while true do
    print_endline "0123456789abcdef"
  done
