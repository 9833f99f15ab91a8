import type { LimitResult, RunResult, Verdict } from "../../clients/typescript/src/index.js";
import { bytes, limitNames, limitValue, milliseconds, nanoseconds, plural } from "./format.js";

export type Tone = "ok" | "warn" | "bad";

/** What a verdict means, and what can be done. */
export interface Words {
  tone: Tone;
  title: string;
  what: string;
  /** What to do next. */
  next: string;
  /** The limit that ended it. */
  limit?: string;
}

type Account = Pick<RunResult, "verdict" | "exit_code" | "signal" | "message" | "usage" | "limits" | "events" | "truncated"> & Partial<Pick<RunResult, "build" | "difference" | "checker">>;

const titles: Record<Verdict, string> = {
  ok: "Finished",
  nonzero: "Finished with an error",
  signaled: "Ended by a signal",
  memory_limit: "Out of memory",
  cpu_limit: "Out of CPU time",
  wall_limit: "Took too long",
  output_limit: "Printed too much",
  syscall_denied: "Ended for a system call",
  exec_failed: "Could not be started",
  build_failed: "Did not build",
  wrong_answer: "Wrong answer",
  checker_failed: "The checker failed",
  cancelled: "Stopped",
  interrupted: "Cut off",
  skipped: "Not run",
  internal_error: "The service failed",
};

export const titleOf = (verdict: Verdict): string => titles[verdict] ?? verdict;

export function toneOf(verdict: Verdict): Tone {
  if (verdict === "ok") return "ok";
  return ["nonzero", "cancelled", "skipped", "interrupted", "wrong_answer"].includes(verdict) ? "warn" : "bad";
}

const byLimit: Partial<Record<Verdict, string>> = { memory_limit: "memory_bytes", cpu_limit: "cpu_ms", wall_limit: "wall_ms", output_limit: "output_bytes" };

/** Tells a result in words; most: what the policy allows of a limit at most. */
export function wordsOf(r: Account, most: (limit: string) => number | undefined): Words {
  const words: Words = { tone: toneOf(r.verdict), title: titleOf(r.verdict), what: sentence(r), next: advice(r) };
  const limit = byLimit[r.verdict];
  if (limit === undefined) return words;
  const granted = r.limits[limit]?.value ?? 0;
  const top = most(limit);
  const room = top !== undefined && top > (r.limits[limit]?.asked ?? granted);
  words.limit = limit;
  words.next += room ? ` This policy allows up to ${limitValue(limit, top)}.` : " This policy allows no more.";
  return words;
}

const had = (limits: Record<string, LimitResult>, name: string): string => limitValue(name, limits[name]?.value ?? 0);

function sentence(r: Account): string {
  const u = r.usage;
  switch (r.verdict) {
    case "ok":
      return "Exit status 0, within every limit.";
    case "nonzero":
      return `It ended by itself with exit status ${r.exit_code}.`;
    case "signaled":
      return `${r.signal} ended it. ${signals[r.signal ?? ""] ?? ""}`.trim();
    case "memory_limit":
      return `It needed more than the ${had(r.limits, "memory_bytes")} that it may have: it had used ${bytes(u.memory_peak_bytes)} when the kernel ended it${r.events.oom_kill > 1 ? `, with ${plural(r.events.oom_kill, "kill")}` : ""}.`;
    case "cpu_limit":
      return `All its processes together used ${nanoseconds(u.cpu_ns)} of CPU time; ${had(r.limits, "cpu_ms")} were allowed. It ran for ${nanoseconds(u.wall_ns)}.`;
    case "wall_limit":
      return `It was still running after ${had(r.limits, "wall_ms")}, and had used ${nanoseconds(u.cpu_ns)} of CPU time: ${u.cpu_ns < u.wall_ns / 10 ? "it was mostly waiting" : "it was at work"}.`;
    case "output_limit": {
      const stream = r.truncated.stderr && !r.truncated.stdout ? "standard error" : "standard output";
      return `It printed more than ${had(r.limits, "output_bytes")} on ${stream}. What is below is the beginning.`;
    }
    case "syscall_denied": {
      const names = r.events.denied_syscalls.map((d) => `${d.name} (${plural(d.count, "time")})`).join(", ");
      return `It was ended for what it asked of the kernel${names ? `: ${names}` : ""}.`;
    }
    case "exec_failed":
    case "checker_failed":
    case "interrupted":
    case "internal_error":
      return r.message;
    case "build_failed":
      return r.build ? `The build ${buildEnd(r.build)} Its messages are below.` : r.message;
    case "wrong_answer":
      return r.message || "The output is not what was expected.";
    case "cancelled":
      return `It was stopped after ${nanoseconds(u.wall_ns)}.`;
    case "skipped":
      return "It was not run.";
  }
}

function buildEnd(b: NonNullable<RunResult["build"]>): string {
  const words = { memory_limit: `needed more than ${had(b.limits, "memory_bytes")} of memory.`, cpu_limit: `used up its ${had(b.limits, "cpu_ms")} of CPU time.`, wall_limit: `took longer than ${had(b.limits, "wall_ms")}.` };
  return (words as Record<string, string>)[b.verdict] ?? (b.exit_code === null ? `was ended by ${b.signal}.` : `ended with exit status ${b.exit_code}.`);
}

function advice(r: Account): string {
  switch (r.verdict) {
    case "memory_limit":
      return "Keep less at once, or give it more memory.";
    case "cpu_limit":
      return "Look for a loop without end or a slow algorithm, or give it more CPU time.";
    case "wall_limit":
      return r.usage.cpu_ns < r.usage.wall_ns / 10 ? "It may be waiting for input that does not come, or sleep. Give it input, or more time." : "Give it more time.";
    case "output_limit":
      return "Print less, or allow more output.";
    case "signaled":
      return r.signal === "SIGSEGV" ? "Look for an index out of range, a null pointer, or recursion without end." : "";
    case "syscall_denied":
      return "What a job may ask of the kernel is the policy's; the tab Usage has every denied call.";
    case "exec_failed":
      return "Look at the name of the program, its first line (#!) and its mode.";
    case "interrupted":
      return "The service was ending. Run it again.";
    case "cancelled":
      return "";
    case "internal_error":
      return "That is no fault of the program. The operator's log tells more.";
    default:
      return "";
  }
}

const signals: Record<string, string> = {
  SIGSEGV: "It touched memory that is not its own.",
  SIGABRT: "It gave up by itself, as after a failed assertion or an exception that nobody caught.",
  SIGFPE: "It divided by zero, or the like.",
  SIGILL: "It came to an instruction that does not exist.",
  SIGBUS: "It touched memory that is not there.",
  SIGPIPE: "It wrote to a pipe that nobody reads any more.",
  SIGKILL: "One of its own processes killed it.",
  SIGXFSZ: "It wrote a file larger than it may.",
  SIGTRAP: "It stopped at a breakpoint, or gave up by itself.",
};

/** A job that has no result, in words. */
export function withoutResult(state: string): Words {
  switch (state) {
    case "cancelled":
      return { tone: "warn", title: "Stopped", what: "It was stopped before it began.", next: "" };
    case "expired":
      return { tone: "warn", title: "Waited too long", what: "Its turn did not come in the time that a job may wait.", next: "Run it again when the service has less to do." };
    case "interrupted":
      return { tone: "bad", title: "Cut off", what: "The service ended while it ran.", next: "Run it again." };
  }
  return { tone: "bad", title: "Could not be run", what: "", next: "" };
}

export const nameOfLimit = (name: string): string => limitNames[name] ?? name;
export { milliseconds };
