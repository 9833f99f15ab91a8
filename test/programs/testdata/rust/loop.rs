fn main() {
    let mut n: u64 = 0;
    loop {
        n = unsafe { std::ptr::read_volatile(&n) }.wrapping_add(1);
    }
}
