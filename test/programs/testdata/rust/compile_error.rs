fn main() {
    let words = vec![String::from("moved")];
    drop(words);
    println!("{}", words.len());
}
