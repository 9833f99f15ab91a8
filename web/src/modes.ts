import { StreamLanguage, type StreamParser } from "@codemirror/language";
import type { Extension } from "@codemirror/state";

const stream = async (parser: Promise<StreamParser<unknown>>): Promise<Extension> => StreamLanguage.define(await parser);

/** How a language is coloured. Each comes when it is wanted. */
const modes: Record<string, () => Promise<Extension>> = {
  python: async () => (await import("@codemirror/lang-python")).python(),
  cpp: async () => (await import("@codemirror/lang-cpp")).cpp(),
  go: async () => (await import("@codemirror/lang-go")).go(),
  javascript: async () => (await import("@codemirror/lang-javascript")).javascript(),
  typescript: async () => (await import("@codemirror/lang-javascript")).javascript({ typescript: true }),
  rust: async () => (await import("@codemirror/lang-rust")).rust(),
  java: async () => (await import("@codemirror/lang-java")).java(),
  csharp: () => stream(import("@codemirror/legacy-modes/mode/clike").then((m) => m.csharp)),
  kotlin: () => stream(import("@codemirror/legacy-modes/mode/clike").then((m) => m.kotlin)),
  shell: () => stream(import("@codemirror/legacy-modes/mode/shell").then((m) => m.shell)),
  d: () => stream(import("@codemirror/legacy-modes/mode/d").then((m) => m.d)),
  fortran: () => stream(import("@codemirror/legacy-modes/mode/fortran").then((m) => m.fortran)),
  haskell: () => stream(import("@codemirror/legacy-modes/mode/haskell").then((m) => m.haskell)),
  julia: () => stream(import("@codemirror/legacy-modes/mode/julia").then((m) => m.julia)),
  lua: () => stream(import("@codemirror/legacy-modes/mode/lua").then((m) => m.lua)),
  ocaml: () => stream(import("@codemirror/legacy-modes/mode/mllike").then((m) => m.oCaml)),
  pascal: () => stream(import("@codemirror/legacy-modes/mode/pascal").then((m) => m.pascal)),
  perl: () => stream(import("@codemirror/legacy-modes/mode/perl").then((m) => m.perl)),
  r: () => stream(import("@codemirror/legacy-modes/mode/r").then((m) => m.r)),
  ruby: () => stream(import("@codemirror/legacy-modes/mode/ruby").then((m) => m.ruby)),
  scheme: () => stream(import("@codemirror/legacy-modes/mode/scheme").then((m) => m.scheme)),
  swift: () => stream(import("@codemirror/legacy-modes/mode/swift").then((m) => m.swift)),
  tcl: () => stream(import("@codemirror/legacy-modes/mode/tcl").then((m) => m.tcl)),
};

/** Which of them a file's name asks for. */
const endings: Record<string, string> = {
  py: "python", c: "cpp", h: "cpp", cc: "cpp", cpp: "cpp", hpp: "cpp", go: "go", js: "javascript", mjs: "javascript", ts: "typescript", rs: "rust", java: "java",
  cs: "csharp", kt: "kotlin", sh: "shell", bash: "shell", d: "d", f90: "fortran", hs: "haskell", jl: "julia", lua: "lua", ml: "ocaml", pas: "pascal", pl: "perl",
  r: "r", R: "r", rb: "ruby", scm: "scheme", swift: "swift", tcl: "tcl", php: "cpp", awk: "shell", nim: "python", zig: "rust",
};

export async function modeOf(fileName: string): Promise<Extension> {
  const mode = modes[endings[fileName.split(".").at(-1) ?? ""] ?? ""];
  return mode === undefined ? [] : mode();
}
