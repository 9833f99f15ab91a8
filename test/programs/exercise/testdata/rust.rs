use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::mpsc;
use std::{env, fs, thread};

fn check(right: bool, part: &str) {
    assert!(right, "{}", part);
    println!("{} ok", part);
}

fn threads() -> bool {
    let (to, from) = mpsc::channel();
    let all: Vec<_> = (0..4)
        .map(|i| {
            let to = to.clone();
            thread::spawn(move || to.send(i).unwrap())
        })
        .collect();
    for one in all {
        one.join().unwrap();
    }
    drop(to);
    from.iter().sum::<i32>() == 6
}

fn process() -> bool {
    let out = Command::new("sh").args(["-c", "echo from a child"]).output().unwrap();
    out.status.success() && out.stdout == b"from a child\n"
}

fn socket() -> bool {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    let server = thread::spawn(move || listener.accept().unwrap().0.write_all(b"hello").unwrap());
    let mut text = String::new();
    TcpStream::connect(at).unwrap().read_to_string(&mut text).unwrap();
    server.join().unwrap();
    text == "hello"
}

fn file() -> bool {
    let name = env::temp_dir().join("exercise.txt");
    fs::write(&name, "hello").unwrap();
    let text = fs::read_to_string(&name).unwrap();
    fs::remove_file(&name).unwrap();
    text == "hello"
}

fn locale() -> bool {
    "é".to_uppercase() == "É" && env::var("LC_ALL").is_ok()
}

fn memory() -> bool {
    let block = vec![1u8; 96 << 20];
    block.iter().map(|&b| b as u64).sum::<u64>() == 96 << 20
}

fn main() {
    check(threads(), "threads");
    check(process(), "process");
    check(socket(), "socket");
    check(file(), "file");
    check(locale(), "locale");
    check(memory(), "memory");
}
