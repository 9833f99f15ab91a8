import type { Denial, Problem } from "./schema.js";

/** The code of an answer that is not the service's. */
export const noProblemDocument = "no_problem_document";

const strangerLength = 200;
const headCodes: Record<number, string> = { 401: "unauthorized", 404: "unknown_file", 429: "too_many_attempts", 503: "queue_full" };

/** A problem as the service tells it (RFC 9457). code is stable. */
export class ProblemError extends Error {
  override readonly name = "ProblemError";
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  /** The field at fault, as in files[0].path. */
  readonly path: string;
  readonly job: string;
  readonly denials: Denial[];
  /** Milliseconds; undefined where the service said nothing. */
  readonly retryAfter: number | undefined;

  constructor(problem: Pick<Problem, "status" | "code" | "detail"> & Partial<Problem>, retryAfter?: number) {
    super(`${problem.code}: ${problem.path ? problem.path + ": " : ""}${problem.detail}`);
    this.status = problem.status;
    this.code = problem.code;
    this.detail = problem.detail;
    this.path = problem.path ?? "";
    this.job = problem.job ?? "";
    this.denials = problem.denials ?? [];
    this.retryAfter = retryAfter;
  }
}

/** Reads an answer that is none of those that were wanted. */
export async function problemOf(method: string, response: Response): Promise<ProblemError> {
  const wait = retryAfter(response.headers.get("Retry-After"), Date.now());
  const status = response.status;
  const code = headCodes[status];
  if (method === "HEAD" && code !== undefined) {
    return new ProblemError({ status, code, detail: "an answer to HEAD says no more" }, wait);
  }
  const text = await response.text();
  if (response.headers.get("Content-Type")?.split(";")[0]?.trim() === "application/problem+json") {
    try {
      const told = JSON.parse(text) as Problem;
      if (typeof told.code === "string" && typeof told.detail === "string") return new ProblemError({ ...told, status }, wait);
    } catch {
      // told of below
    }
  }
  const detail = `status ${status}, and no problem as the service tells it: ${JSON.stringify(text.slice(0, strangerLength).trim())}; does the URL lead to the service?`;
  return new ProblemError({ status, code: noProblemDocument, detail }, wait);
}

/** Reads the header: seconds, or a date. */
export function retryAfter(text: string | null, now: number): number | undefined {
  if (text === null) return undefined;
  if (/^\d+$/.test(text.trim())) return Number(text) * 1000;
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : Math.max(0, at - now);
}
