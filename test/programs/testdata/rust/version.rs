// What into_iter gives of an array and of a boxed slice differs between editions.
fn kind<T>(_: T) -> &'static str {
    std::any::type_name::<T>()
}

fn main() {
    let boxed = vec![1i32].into_boxed_slice();
    println!("{} {}", kind([1i32].into_iter().next().unwrap()), kind(boxed.into_iter().next().unwrap()));
}
