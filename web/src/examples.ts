import type { Case } from "./draft.js";

export interface Example {
  name: string;
  text: string;
  stdin?: string;
  cases?: Case[];
}

const hello: Record<string, string> = {
  awk: `BEGIN { for (i = 1; i <= 5; i++) print "hello from awk", i }\n`,
  bash: `for i in {1..5}; do\n  echo "hello $i"\ndone\necho "to standard error" >&2\nid\n`,
  c: `#include <stdio.h>\n\nint main(void)\n{\n    for (int i = 1; i <= 5; i++)\n        printf("hello %d\\n", i);\n    return 0;\n}\n`,
  cpp: `#include <iostream>\n#include <vector>\n\nint main()\n{\n    std::vector<int> squares;\n    for (int i = 1; i <= 5; i++)\n        squares.push_back(i * i);\n    for (int n : squares)\n        std::cout << n << "\\n";\n}\n`,
  csharp: `using System;\n\nclass Program\n{\n    static void Main()\n    {\n        for (int i = 1; i <= 5; i++)\n            Console.WriteLine("hello " + i);\n    }\n}\n`,
  d: `import std.stdio;\n\nvoid main()\n{\n    foreach (i; 1 .. 6)\n        writeln("hello ", i);\n}\n`,
  fortran: `program hello\n  implicit none\n  integer :: i\n  do i = 1, 5\n    print '(a, i0)', 'hello ', i\n  end do\nend program hello\n`,
  go: `package main\n\nimport (\n\t"fmt"\n\t"runtime"\n)\n\nfunc main() {\n\tfor i := range 5 {\n\t\tfmt.Println("hello", i+1)\n\t}\n\tfmt.Println(runtime.Version(), runtime.GOOS+"/"+runtime.GOARCH)\n}\n`,
  haskell: `main :: IO ()\nmain = mapM_ (\\n -> putStrLn ("hello " ++ show n)) [1 .. 5 :: Int]\n`,
  java: `public class Main {\n    public static void main(String[] args) {\n        for (int i = 1; i <= 5; i++)\n            System.out.println("hello " + i);\n    }\n}\n`,
  javascript: `for (let i = 1; i <= 5; i++) console.log("hello", i);\nconsole.error("to standard error");\n`,
  julia: `for i in 1:5\n    println("hello ", i)\nend\n`,
  kotlin: `fun main() {\n    for (i in 1..5) println("hello $i")\n}\n`,
  lua: `for i = 1, 5 do\n  print("hello", i)\nend\n`,
  nim: `for i in 1 .. 5:\n  echo "hello ", i\n`,
  ocaml: `let () =\n  for i = 1 to 5 do\n    Printf.printf "hello %d\\n" i\n  done\n`,
  pascal: `program Hello;\nvar\n  i: Integer;\nbegin\n  for i := 1 to 5 do\n    WriteLn('hello ', i);\nend.\n`,
  perl: `use strict;\nuse warnings;\n\nprint "hello $_\\n" for 1 .. 5;\n`,
  php: `<?php\nfor ($i = 1; $i <= 5; $i++) {\n    echo "hello $i\\n";\n}\n`,
  python: `import sys\nimport time\n\nfor i, colour in enumerate((32, 33, 36), 1):\n    print(f"\\033[{colour}mline {i}\\033[0m of standard output", flush=True)\n    time.sleep(0.3)\n    print(f"line {i} of standard error", file=sys.stderr, flush=True)\n    time.sleep(0.3)\n`,
  r: `for (i in 1:5) cat("hello", i, "\\n")\n`,
  ruby: `5.times { |i| puts "hello #{i + 1}" }\n`,
  rust: `fn main() {\n    let squares: Vec<u32> = (1..=5).map(|n| n * n).collect();\n    for n in &squares {\n        println!("{n}");\n    }\n}\n`,
  scheme: `(do ((i 1 (+ i 1)))\n    ((> i 5))\n  (display "hello ")\n  (display i)\n  (newline))\n`,
  sh: `for i in 1 2 3 4 5; do\n  echo "hello $i"\ndone\nid\n`,
  swift: `for i in 1...5 {\n    print("hello \\(i)")\n}\n`,
  tcl: `for {set i 1} {$i <= 5} {incr i} {\n    puts "hello $i"\n}\n`,
  typescript: `const squares: number[] = [1, 2, 3, 4, 5].map((n) => n * n);\nfor (const n of squares) console.log(n);\n`,
  zig: `const std = @import("std");\n\npub fn main() void {\n    for (1..6) |i| std.debug.print("hello {d}\\n", .{i});\n}\n`,
};

const sums: Case[] = [
  { name: "small", stdin: "1 2\n", expect: "3\n" },
  { name: "negative", stdin: "-5 3\n", expect: "-2\n" },
  { name: "large", stdin: "1000000 2345678\n", expect: "3345678\n" },
];

/** What shows the walls of a cell, in languages that nearly every host has. */
const further: Record<string, Example[]> = {
  python: [
    { name: "Reads input, with tests", text: `a, b = map(int, input().split())\nprint(a + b)\n`, stdin: "1 2\n", cases: sums },
    { name: "Takes too much memory", text: `blocks = []\nwhile True:\n    blocks.append(bytearray(8 << 20))\n    print(len(blocks) * 8, "MiB", flush=True)\n` },
    { name: "Never ends", text: `n = 0\nwhile True:\n    n += 1\n` },
    { name: "Waits too long", text: `import time\n\nprint("waiting", flush=True)\ntime.sleep(3600)\n` },
    { name: "Prints without end", text: `n = 0\nwhile True:\n    n += 1\n    print("line", n, "of too many")\n` },
    { name: "Starts too many processes", text: `import os\nimport time\n\nchildren = 0\ntry:\n    while True:\n        if os.fork() == 0:\n            time.sleep(5)\n            os._exit(0)\n        children += 1\nexcept OSError as error:\n    print(children, "children, and then:", error)\n` },
    {
      name: "Tries what is forbidden",
      text: `import ctypes\nimport os\nimport socket\n\nlibc = ctypes.CDLL(None, use_errno=True)\n\n\ndef attempt(what, call):\n    try:\n        result = call()\n        if result == -1:\n            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))\n        print(f"{what}: worked, {result!r}", flush=True)\n    except OSError as error:\n        print(f"{what}: {error}", flush=True)\n\n\nattempt("trace another process", lambda: libc.ptrace(16, 1, 0, 0))\nattempt("mount a file system", lambda: libc.mount(b"none", b"/mnt", b"tmpfs", 0, None))\nattempt("make a user namespace", lambda: libc.unshare(0x10000000))\nattempt("load a kernel module", lambda: libc.syscall(313, 0, b"", 0))\nattempt("reach the network", lambda: socket.create_connection(("192.0.2.1", 80), 1))\nattempt("read the shadow file", lambda: open("/etc/shadow").read())\nattempt("write to the root", lambda: open("/usr/bin/env", "w"))\n`,
    },
    { name: "Uses CPU, memory and disk", text: `import time\n\nkept = []\nfor step in range(12):\n    kept.append(bytearray(b"x" * (6 << 20)))\n    with open(f"part-{step}", "wb") as part:\n        part.write(b"y" * (1 << 20))\n    end = time.process_time() + 0.12\n    while time.process_time() < end:\n        sum(range(1000))\n    print(f"step {step + 1}: {len(kept) * 6} MiB kept", flush=True)\n    time.sleep(0.1)\n` },
    { name: "Asks for a name (terminal)", text: `name = input("What is your name? ")\nprint(f"\\033[1;36mHello, {name}!\\033[0m")\n` },
  ],
  c: [
    { name: "Reads input, with tests", text: `#include <stdio.h>\n\nint main(void)\n{\n    long a, b;\n    if (scanf("%ld %ld", &a, &b) != 2)\n        return 1;\n    printf("%ld\\n", a + b);\n    return 0;\n}\n`, stdin: "1 2\n", cases: sums },
    { name: "Touches memory that is not its own", text: `int main(void)\n{\n    volatile int *nowhere = 0;\n    return *nowhere;\n}\n` },
    { name: "Does not build", text: `int main(void)\n{\n    return undeclared;\n}\n` },
  ],
  cpp: [{ name: "Reads input, with tests", text: `#include <iostream>\n\nint main()\n{\n    long a, b;\n    std::cin >> a >> b;\n    std::cout << a + b << "\\n";\n}\n`, stdin: "1 2\n", cases: sums }],
  sh: [
    { name: "Looks around", text: `echo "user:       $(id)"\necho "processes:  $(ls /proc | grep -c '^[0-9]')"\necho "network:    $(sed -n '3,$s/:.*//p' /proc/net/dev | tr -d ' ' | paste -sd ' ')"\necho "files:      $(ls / | paste -sd ' ')"\ngrep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status\ncat /proc/self/uid_map\n` },
    { name: "A fork bomb", text: `bomb() { bomb | bomb & }\nbomb\nsleep 2\necho "still here"\n` },
  ],
};

/** What can be tried in a language, or in the one that it is a version of. */
export function examplesOf(id: string, family: string | undefined): Example[] {
  const of = (names: (string | undefined)[]) => names.find((name) => name !== undefined && hello[name] !== undefined) ?? "";
  const name = of([id, family, id.replace(/\d.*$/, ""), id.replace(/[-\d].*$/, "")]);
  return hello[name] === undefined ? [] : [{ name: "Hello", text: hello[name] }, ...(further[name] ?? [])];
}
