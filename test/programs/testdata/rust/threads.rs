use std::thread;

fn main() {
    let threads: Vec<_> = (1..=4u64)
        .map(|i| thread::spawn(move || (i..=1000).step_by(4).sum::<u64>()))
        .collect();
    let sum: u64 = threads.into_iter().map(|t| t.join().unwrap()).sum();
    println!("sum {}", sum);
}
