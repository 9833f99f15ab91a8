let () =
  let blocks = List.init 96 (fun _ -> Bytes.make (1024 * 1024) 'x') in
  Gc.minor ();
  Printf.printf "%d blocks\n" (List.length blocks)
