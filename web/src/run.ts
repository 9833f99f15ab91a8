import { signal } from "@preact/signals";
import { follow } from "../../clients/typescript/src/events.js";
import { ProblemError, stderrBytes, stdoutBytes, type Denial, type JobRequest, type JobStatus, type RunResult, type Usage, type UsageSample } from "../../clients/typescript/src/index.js";
import { Output } from "./output.js";
import { client, leave, said, transport, trouble } from "./session.js";

export type Phase = "idle" | "sending" | "queued" | "running" | "stopping" | "ended";
export type Kind = "run" | "tests" | "terminal";

export interface Sample {
  at: number; // milliseconds since the program's start
  usage: Used;
}

/** The account at the end says nothing of a present. */
export type Used = Usage & Partial<UsageSample>;

/** Milliseconds between two samples of what a job uses. */
const sampleEvery = 100;

export interface Run {
  kind: Kind;
  phase: Phase;
  job: JobRequest;
  id: string;
  result?: RunResult;
  status?: JobStatus;
  /** It could not be run, and why. */
  refused?: { text: string; denials: Denial[]; code: string };
  /** What is worth knowing of how it ran. */
  note: string;
  output: Output;
  samples: Sample[];
}

export const run = signal<Run | undefined>(undefined);
export const busy = (r: Run | undefined): boolean => r !== undefined && r.phase !== "ended";

/** The run that goes on, and what ends the listening to it. */
let current: { abort: AbortController; began: number; direct: boolean } | undefined;

export const update = (what: Partial<Run>): void => {
  if (run.value !== undefined) run.value = { ...run.value, ...what };
};

/** Begins a run in place of the last one. */
export function begin(kind: Kind, job: JobRequest): AbortSignal {
  current?.abort.abort();
  current = { abort: new AbortController(), began: 0, direct: false };
  run.value = { kind, phase: "sending", job, id: "", note: "", output: new Output(), samples: [] };
  return current.abort.signal;
}

/** Queues a job and follows it to its end. */
export async function start(kind: Kind, job: JobRequest): Promise<void> {
  const signal = begin(kind, job);
  try {
    const { id } = await client().submit(job, { signal });
    update({ id, phase: "queued" });
    for await (const event of follow(transport(), `/v1/jobs/${id}/events?usage_ms=${sampleEvery}`, "", signal)) {
      if (signal.aborted) return;
      if (event.type === "state" || event.type === "result") told(event.job);
      else if (event.type === "usage") sampled(event.usage);
      else if (event.type === "stdout" || event.type === "stderr") run.value?.output.add(event.type, event.output.data, event.output.at_ns === undefined ? undefined : event.output.at_ns / 1e6);
    }
  } catch (error) {
    if (signal.aborted) return;
    if (error instanceof ProblemError && error.code === "not_found") return direct(job, signal);
    failed(error);
  }
}

/** Runs a job where the service has no queue: there is nothing to see until its end. */
async function direct(job: JobRequest, signal: AbortSignal): Promise<void> {
  if (current !== undefined) current.direct = true;
  update({ phase: "running", note: "This service has no queue: output comes at the end of the program alone." });
  try {
    const result = await client().run(job, { signal });
    printed(result);
    update({ phase: "ended", id: result.id, result });
  } catch (error) {
    if (signal.aborted) update({ phase: "ended", note: "Stopped." });
    else failed(error);
  }
}

/** Both streams as they came, as far as the result tells. */
function printed(result: RunResult): void {
  const all = { stdout: stdoutBytes(result), stderr: stderrBytes(result) };
  const told = { stdout: 0, stderr: 0 };
  for (const { stream, end, at_ns } of result.timeline ?? []) {
    run.value?.output.add(stream, all[stream].subarray(told[stream], end), at_ns / 1e6);
    told[stream] = end;
  }
  for (const stream of ["stdout", "stderr"] as const) if (told[stream] < all[stream].length) run.value?.output.add(stream, all[stream].subarray(told[stream]), undefined);
}

/** A job's state, or its result. */
export function told(job: JobStatus): void {
  if (run.value?.phase === "stopping" && job.result === undefined && job.problem === undefined && !["cancelled", "expired"].includes(job.state)) return;
  switch (job.state) {
    case "queued":
      return update({ phase: "queued", status: job });
    case "running":
      if (current !== undefined) current.began ||= performance.now();
      return update({ phase: "running", status: job });
  }
  const what: Partial<Run> = { status: job };
  if (job.result !== undefined) Object.assign(what, { phase: "ended", result: job.result, samples: closed(job.result) });
  else if (job.problem !== undefined) Object.assign(what, { phase: "ended", refused: { text: job.problem.detail, denials: job.problem.denials ?? [], code: job.problem.code } });
  else if (job.state === "cancelled" || job.state === "expired" || job.state === "interrupted") what.phase = "ended";
  update(what);
}

/**
 * The samples with the final account behind them, in place of one that is so near that what is
 * between them would be drawn as a rate that never was.
 */
function closed(result: RunResult): Sample[] {
  const far = result.usage.wall_ns / 1e6 - sampleEvery / 2;
  return [...(run.value?.samples ?? []).filter((sample) => sample.at < far), { at: result.usage.wall_ns / 1e6, usage: result.usage }];
}

export function sampled(usage: UsageSample): void {
  update({ samples: [...(run.value?.samples ?? []).slice(-2000), { at: usage.wall_ns / 1e6, usage }] });
}

/** Milliseconds since the program's start, as far as this page saw it. */
export const since = (): number | undefined => (current === undefined || current.began === 0 ? undefined : performance.now() - current.began);

export function failed(error: unknown): void {
  const problem = error instanceof ProblemError ? error : undefined;
  if (problem?.status === 401) {
    leave();
    trouble.value = said(error);
  }
  update({ phase: "ended", refused: { text: said(error), denials: problem?.denials ?? [], code: problem?.code ?? "" } });
}

/** Ends the job; its account still comes. */
export async function stop(): Promise<void> {
  const at = run.value;
  if (at === undefined || !busy(at)) return;
  update({ phase: "stopping" });
  if (at.id === "") {
    current?.abort.abort(); // a direct run ends with its request; what is on its way in is not followed
    return update({ phase: "ended", note: "Stopped." });
  }
  try {
    told(await client().cancel(at.id));
  } catch (error) {
    failed(error);
  }
}
