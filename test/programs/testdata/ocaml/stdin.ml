let rec read values =
  match Scanf.scanf " %d" (fun v -> v) with
  | v -> read (v :: values)
  | exception (End_of_file | Scanf.Scan_failure _) -> values

let () =
  let values = List.sort compare (read []) in
  Printf.printf "sum %d\n" (List.fold_left ( + ) 0 values);
  print_endline ("sorted " ^ String.concat " " (List.map string_of_int values));
  let out = open_out "out.txt" in
  Printf.fprintf out "count %d\n" (List.length values);
  close_out out
