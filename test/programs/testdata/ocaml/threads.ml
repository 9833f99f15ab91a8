let sums = Array.make 4 0

let add first =
  let n = ref (first + 1) in
  while !n <= 1000 do
    sums.(first) <- sums.(first) + !n;
    n := !n + 4
  done

let () =
  let threads = List.map (Thread.create add) [0; 1; 2; 3] in
  List.iter Thread.join threads;
  Printf.printf "sum %d\n" (Array.fold_left ( + ) 0 sums)
