let check right part =
  if not right then failwith part;
  print_endline (part ^ " ok")

let () =
  let name = Filename.temp_file "exercise" ".txt" in
  let code = Sys.command ("echo from a child > " ^ name) in
  let read () =
    let channel = open_in name in
    let line = input_line channel in
    close_in channel; line in
  check (code = 0 && read () = "from a child") "process";

  let out = open_out name in
  output_string out "hello\n";
  close_out out;
  check (read () = "hello" && (Sys.remove name; not (Sys.file_exists name))) "file";

  let block = Bytes.make (96 * 1024 * 1024) 'x' in
  let small = Array.init 1_000_000 string_of_int in
  Gc.full_major ();
  check (Bytes.get block (Bytes.length block - 1) = 'x' && small.(999_999) = "999999") "memory"
