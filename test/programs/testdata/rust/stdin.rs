use std::io::Read;

fn main() -> std::io::Result<()> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    let mut values: Vec<i64> = text.split_whitespace().map(|w| w.parse().unwrap()).collect();
    values.sort();
    let words: Vec<String> = values.iter().map(|v| v.to_string()).collect();
    println!("sum {}\nsorted {}", values.iter().sum::<i64>(), words.join(" "));
    std::fs::write("out.txt", format!("count {}\n", values.len()))
}
