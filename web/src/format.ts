/** Numbers as people read them. */

export function bytes(n: number): string {
  if (n < 0) return "not counted here";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let at = 0;
  while (n >= 1024 && at < units.length - 1) {
    n /= 1024;
    at++;
  }
  return `${round(n)} ${units[at]}`;
}

export function nanoseconds(n: number): string {
  if (n < 0) return "not counted here";
  if (n < 1000) return `${n} ns`;
  if (n < 1e6) return `${round(n / 1e3)} µs`;
  if (n < 1e9) return `${round(n / 1e6)} ms`;
  if (n < 120e9) return `${round(n / 1e9)} s`;
  return `${round(n / 60e9)} min`;
}

export const milliseconds = (n: number): string => nanoseconds(n * 1e6);

/** Three digits that count, and no more. */
export function round(n: number): string {
  if (n >= 100 || Number.isInteger(n)) return Math.round(n).toLocaleString("en");
  return n >= 10 ? n.toFixed(1).replace(/\.0$/, "") : n.toFixed(2).replace(/\.?0+$/, "");
}

/** A value of a limit, by its name, in which the unit is. */
export function limitValue(name: string, value: number): string {
  if (name.endsWith("_ms")) return milliseconds(value);
  if (name.endsWith("_bytes")) return bytes(value);
  if (name === "cpus") return `${round(value)} ${value === 1 ? "processor" : "processors"}`;
  return round(value);
}

export const limitNames: Record<string, string> = {
  cpu_ms: "CPU time",
  wall_ms: "Wall time",
  memory_bytes: "Memory",
  pids: "Processes",
  output_bytes: "Output",
  disk_bytes: "Disk",
  cpus: "Processors",
  disk_files: "Files on disk",
  open_files: "Open files",
  file_bytes: "Largest file",
  stack_bytes: "Stack",
};

/** A moment of a run, as seconds with so many digits that neighbours differ. */
export function moment(milliseconds: number): string {
  return (milliseconds / 1000).toFixed(3) + " s";
}

export const plural = (n: number, one: string, many = one + "s"): string => `${n.toLocaleString("en")} ${n === 1 ? one : many}`;
