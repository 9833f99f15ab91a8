import { ProblemError } from "./problem.js";
import type { JobStatus, UsageSample } from "./schema.js";
import { Broken, passes, sleep, type Transport } from "./transport.js";

/** A part of a stream. A job that is begun again prints anew, from the offset 0. */
export interface Output {
  offset: number;
  data: Uint8Array;
  /** Nanoseconds since the program was started, where that is known. */
  at_ns?: number;
}

/** What a job tells of itself; result is the last. */
export type JobEvent =
  | { id: string; type: "state" | "result"; job: JobStatus }
  | { id: string; type: "stdout" | "stderr"; output: Output }
  | { id: string; type: "usage"; usage: UsageSample };

/** Milliseconds: four times what the service lets pass without a sign of life. */
const silence = 60_000;

interface Frame {
  id: string;
  event: string;
  data: string;
}

/** Reads server-sent events. One that is cut off is none. */
export async function* frames(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Frame> {
  const decoder = new TextDecoder();
  let rest: string[] = []; // of a line, that may come in many parts
  let frame: { id: string; event: string; data: string[] } = { id: "", event: "", data: [] };
  for await (const chunk of chunks) {
    const lines = decoder.decode(chunk, { stream: true }).split("\n");
    rest.push(lines[0] ?? "");
    for (const next of lines.slice(1)) {
      const line = rest.join("").replace(/\r$/, "");
      rest = [next];
      if (line === "") {
        if (frame.data.length > 0) yield { ...frame, data: frame.data.join("\n") };
        frame = { id: frame.id, event: "", data: [] };
        continue;
      }
      const colon = line.indexOf(":");
      const name = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
      if (name === "id") frame.id = value;
      else if (name === "event") frame.event = value;
      else if (name === "data") frame.data.push(value);
    }
  }
}

/** The event as it is handed on; undefined for one of a newer service. */
export function decode(frame: Frame): JobEvent | undefined {
  const told = JSON.parse(frame.data);
  switch (frame.event) {
    case "state":
    case "result":
      return { id: frame.id, type: frame.event, job: told };
    case "usage":
      return { id: frame.id, type: frame.event, usage: told };
    case "stdout":
    case "stderr": {
      const data = told.base64 === undefined ? new TextEncoder().encode(told.text) : fromBase64(told.base64);
      return { id: frame.id, type: frame.event, output: { offset: told.offset, data, ...(told.at_ns === undefined ? {} : { at_ns: told.at_ns }) } };
    }
    case "closing":
      if (told.reason === "unknown_job") throw new ProblemError({ status: 404, code: told.reason, detail: "the job's record is not kept any more" });
      throw new Broken(`the service has closed the stream: ${told.reason}`);
  }
  return undefined;
}

/** The bytes of a text in base64. */
export function fromBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
}

/** Gives each event once, over as many connections as it takes. */
export async function* follow(transport: Transport, path: string, after: string, signal?: AbortSignal): AsyncGenerator<JobEvent> {
  for (let failures = 0; ; ) {
    const quiet = new AbortController();
    const stop = () => quiet.abort(signal?.reason);
    signal?.addEventListener("abort", stop, { once: true });
    if (signal?.aborted) stop();
    try {
      const headers: Record<string, string> = { Accept: "text/event-stream" };
      if (after !== "") headers["Last-Event-ID"] = after;
      const response = await transport.send({ method: "GET", path, headers, want: [200, 204], once: true, signal: quiet.signal });
      if (response.status === 204 || response.body === null) return;
      for await (const frame of frames(alive(response.body, () => quiet.abort(new Broken("nothing has come for too long"))))) {
        const event = decode(frame);
        after = frame.id;
        if (event === undefined) continue;
        failures = 0;
        yield event;
        if (event.type === "result") return;
      }
      throw new Broken("the stream of events has ended before its last event");
    } catch (error) {
      const wait = Math.max(transport.pause(failures), (error instanceof ProblemError && error.retryAfter) || 0);
      const broke = quiet.signal.aborted || passes(error); // by what passes, or by the silence
      if (signal?.aborted || !broke || failures >= transport.retries || wait > transport.longestWait) throw error;
      failures++;
      await sleep(wait, signal);
    } finally {
      signal?.removeEventListener("abort", stop);
      quiet.abort(); // who has enough leaves a connection behind else
    }
  }
}

/** Reads a body, and tells when nothing has come for long. */
async function* alive(body: ReadableStream<Uint8Array>, silent: () => void): AsyncGenerator<Uint8Array> {
  const reader = body.getReader();
  for (;;) {
    const timer = setTimeout(silent, silence);
    const { done, value } = await reader.read().finally(() => clearTimeout(timer)); // what is done with it may take its time
    if (done) return;
    yield value;
  }
}
