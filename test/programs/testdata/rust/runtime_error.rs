fn main() {
    let values: Vec<i32> = std::env::args().skip(9).map(|_| 1).collect();
    println!("{}", values[3]);
}
