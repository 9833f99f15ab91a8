let check right part =
  if not right then failwith part;
  print_endline (part ^ " ok")

let threads () =
  let sum = Atomic.make 0 in
  let add i = ignore (Atomic.fetch_and_add sum i) in
  List.iter Thread.join (List.map (Thread.create add) [0; 1; 2; 3]);
  Atomic.get sum = 6

let socket () =
  let open Unix in
  let listening = socket PF_INET SOCK_STREAM 0 in
  bind listening (ADDR_INET (inet_addr_loopback, 0));
  listen listening 1;
  let client = socket PF_INET SOCK_STREAM 0 in
  connect client (getsockname listening);
  let served, _ = accept listening in
  let word = Bytes.create 5 in
  write_substring served "hello" 0 5 = 5 && read client word 0 5 = 5 && Bytes.to_string word = "hello"

let () =
  check (threads ()) "threads";

  let name = Filename.temp_file "exercise" ".txt" in
  let code = Sys.command ("echo from a child > " ^ name) in
  let read () =
    let channel = open_in name in
    let line = input_line channel in
    close_in channel; line in
  check (code = 0 && read () = "from a child") "process";

  check (socket ()) "socket";

  let out = open_out name in
  output_string out "hello\n";
  close_out out;
  check (read () = "hello" && (Sys.remove name; not (Sys.file_exists name))) "file";

  Unix.putenv "TZ" "Asia/Tokyo";
  check ((Unix.localtime 1_700_000_000.).Unix.tm_hour = 7) "zone";

  let block = Bytes.make (96 * 1024 * 1024) 'x' in
  let small = Array.init 1_000_000 string_of_int in
  Gc.full_major ();
  check (Bytes.get block (Bytes.length block - 1) = 'x' && small.(999_999) = "999999") "memory"
