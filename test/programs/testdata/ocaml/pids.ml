let () =
  for _ = 1 to 200 do
    match Unix.fork () with
    | 0 -> Unix.sleep 30; exit 0
    | _ -> ()
    | exception Unix.Unix_error (Unix.EAGAIN, _, _) -> print_endline "refused"; exit 0
  done;
  print_endline "never refused";
  exit 1
