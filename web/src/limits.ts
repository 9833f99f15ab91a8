import type { PolicyInfo } from "../../clients/typescript/src/index.js";

export interface LimitRule {
  name: string;
  usual: number;
  most: number;
  reason: string;
  /** What a slider can be set to, rising. */
  steps: number[];
}

const least: Record<string, number> = { cpu_ms: 100, wall_ms: 100, memory_bytes: 8 << 20, pids: 1, output_bytes: 1024, disk_bytes: 1 << 20, cpus: 0.1, disk_files: 16, open_files: 16, file_bytes: 4096, stack_bytes: 65536 };

/** The limits of a policy that a job can tighten. */
export function rulesOf(policy: PolicyInfo | undefined): LimitRule[] {
  const out: LimitRule[] = [];
  for (const row of policy?.rules ?? []) {
    const name = row.field.startsWith("limits.") ? row.field.slice("limits.".length) : "";
    const usual = parseFloat(row.default);
    const most = parseFloat(row.max ?? "");
    if (name === "" || !(usual > 0) || !(most > 0)) continue;
    out.push({ name, usual, most, reason: row.reason, steps: stepsOf(Math.min(least[name] ?? 1, usual), usual, most, name.endsWith("_bytes")) });
  }
  return out;
}

/** Round numbers between the least and the most, with the usual one among them. */
function stepsOf(from: number, usual: number, most: number, binary: boolean): number[] {
  const steps = new Set([from, usual, most]);
  if (binary) {
    for (let n = 2 ** Math.ceil(Math.log2(from)); n < most; n *= 2) steps.add(n).add(n * 1.5);
  } else {
    for (let power = 10 ** Math.floor(Math.log10(from)); power < most; power *= 10) for (const n of [1, 2, 3, 5, 7]) steps.add(Number((n * power).toPrecision(3)));
  }
  return [...steps].filter((n) => n >= from && n <= most).sort((a, b) => a - b);
}

/** What a rule of the policy says besides limits. */
export const ruleOf = (policy: PolicyInfo | undefined, field: string) => policy?.rules.find((row) => row.field === field);

export const allowsInteractive = (policy: PolicyInfo | undefined): boolean => ruleOf(policy, "interactive.tty")?.max === "true";
