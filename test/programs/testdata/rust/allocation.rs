fn main() {
    let blocks: Vec<Vec<u8>> = (0..96).map(|i| vec![1u8 + i; 1 << 20]).collect();
    let all: usize = blocks.iter().map(|b| b[b.len() - 1] as usize).sum();
    assert_eq!(all, 96 * 97 / 2);
    println!("{} blocks", blocks.len());
}
