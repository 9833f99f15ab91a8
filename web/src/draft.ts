import { effect, signal } from "@preact/signals";
import type { Compare, JobRequest, LanguageInfo, LimitRequest, TestRequest } from "../../clients/typescript/src/index.js";

export interface SourceFile {
  name: string;
  text: string;
}

export interface Case {
  name: string;
  stdin: string;
  expect: string;
}

/** All that a visitor has written. What is shared and what is remembered is this. */
export interface Draft {
  language: string;
  policy: string;
  /** The first is the program. */
  files: SourceFile[];
  stdin: string;
  args: string;
  /** Those that differ from the policy's defaults. */
  limits: Record<string, number>;
  cases: Case[];
  compare: Compare;
}

const key = "cordon.draft";

export const emptyDraft: Draft = { language: "", policy: "", files: [], stdin: "", args: "", limits: {}, cases: [], compare: "exact" };

const text = (value: unknown, most = 1 << 20): string => (typeof value === "string" ? value.slice(0, most) : "");
/** Letters that are not seen, or that turn others around. */
const unseen = /[\p{Cc}\p{Cf}\u2028\u2029\u3164\uffa0]/gu;
/** The name of a file, as it is written: it is what a visitor tells files apart by. */
const named = (value: unknown, i: number): string => text(value, 255).replace(unseen, "").trim() || `part${i + 1}`;
const list = (value: unknown): unknown[] => (Array.isArray(value) ? value.slice(0, 256) : []);
const compares: Compare[] = ["exact", "trim", "tokens", "float", "unordered_lines"];

export const draft = signal<Draft>(remembered());
/** Counts the times that all of it was replaced: the editor then begins anew. */
export const replaced = signal(0);
export const active = signal(0);

export function change(what: Partial<Draft>): void {
  draft.value = { ...draft.value, ...what };
}

export function replace(by: Draft): void {
  draft.value = by;
  active.value = 0;
  replaced.value++;
}

function remembered(): Draft {
  let kept: unknown = {};
  try {
    kept = JSON.parse(localStorage.getItem(key) ?? "{}");
  } catch {
    // storage may be forbidden, or hold what is none
  }
  return checked(kept);
}

let saving: ReturnType<typeof setTimeout> | undefined;

/** Keeps the draft in this browser, a moment after the last change. */
export function remember(): void {
  const save = () => {
    try {
      localStorage.setItem(key, JSON.stringify(draft.value));
    } catch {
      // without storage it is gone with the tab
    }
  };
  effect(() => {
    void draft.value;
    clearTimeout(saving);
    saving = setTimeout(save, 300);
  });
  addEventListener("pagehide", save);
}

/** A draft that came from outside, such as from a link, part by part. */
export function checked(from: unknown): Draft {
  if (typeof from !== "object" || from === null) return emptyDraft;
  const of = from as Record<string, unknown>;
  const limits: Record<string, number> = {};
  for (const [name, value] of Object.entries(of.limits ?? {})) if (typeof value === "number" && value > 0) limits[name.slice(0, 32)] = value;
  return {
    language: text(of.language, 64),
    policy: text(of.policy, 64),
    files: list(of.files).map((f, i) => ({ name: named((f as SourceFile | null)?.name, i), text: text((f as SourceFile | null)?.text) })),
    stdin: text(of.stdin),
    args: text(of.args, 4096),
    limits,
    cases: list(of.cases).map((c) => ({ name: text((c as Case | null)?.name, 100), stdin: text((c as Case | null)?.stdin), expect: text((c as Case | null)?.expect) })),
    compare: compares.includes(of.compare as Compare) ? (of.compare as Compare) : "exact",
  };
}

/** The words of a line, as a shell without any expansion reads it. */
export function words(line: string): string[] {
  const out: string[] = [];
  for (const [, single, double, plain] of line.matchAll(/'([^']*)'|"((?:[^"\\]|\\.)*)"|(\S+)/g)) {
    out.push(single ?? double?.replace(/\\(.)/g, "$1") ?? plain ?? "");
  }
  return out;
}

/** The draft as a job. */
export function jobOf(d: Draft, language: LanguageInfo): JobRequest {
  const [main, ...others] = d.files;
  const job: JobRequest = { policy: d.policy, language: language.id, source: main?.text ?? "" };
  if (others.length > 0) job.files = others.map((f) => ({ path: f.name, content: f.text }));
  if (d.stdin !== "") job.stdin = d.stdin;
  const args = words(d.args);
  if (args.length > 0) job.command = [...(language.run ?? []), ...args];
  if (Object.keys(d.limits).length > 0) job.limits = { ...d.limits } as LimitRequest;
  return job;
}

/** The draft as a job that tells when it printed what. */
export const runOf = (d: Draft, language: LanguageInfo): JobRequest => ({ ...jobOf(d, language), timeline: true });

/** The draft's tests as a job. */
export function testsOf(d: Draft, language: LanguageInfo): JobRequest {
  const { stdin: _, ...job } = jobOf(d, language);
  const tests: TestRequest[] = d.cases.map((c, i) => ({ name: c.name || `${i + 1}`, stdin: c.stdin, expect: c.expect }));
  return { ...job, tests, compare: d.compare, keep_output_bytes: 65536 };
}
