import { follow, fromBase64, type JobEvent } from "./events.js";
import { ProblemError } from "./problem.js";
import type { JobList, JobRequest, JobStatus, KeptFile, LanguageInfo, LanguageList, PolicyInfo, PolicyList, RunRequest, RunResult, State } from "./schema.js";
import { Transport, type Call, type CallOptions, type ClientOptions } from "./transport.js";

/** Which jobs are wanted. */
export interface JobsQuery extends CallOptions {
  state?: State;
  /** Only those behind the job with this id. */
  after?: string;
  /** How many are asked for at once. */
  page?: number;
}

/**
 * A service. A request is sent again only where that cannot run anything twice: after an
 * answer that says that nothing has begun, and after a broken connection where the request
 * may be repeated.
 */
export class Client {
  private readonly transport: Transport;

  constructor(url: string, options: ClientOptions = {}) {
    this.transport = new Transport(url, options);
  }

  /** Runs a job and waits for its result. Not sent again when the connection breaks: nobody knows then whether it ran. */
  run(job: RunRequest, options: CallOptions = {}): Promise<RunResult> {
    return this.json({ method: "POST", path: "/v1/run", want: [200], headers: asJSON, body: JSON.stringify(job), signal: options.signal });
  }

  /** Queues a job, once, whatever becomes of the connection: it has an Idempotency-Key, a new one when none is given. */
  async submit(job: JobRequest, options: CallOptions & { key?: string } = {}): Promise<JobStatus> {
    const headers = { ...asJSON, "Idempotency-Key": options.key ?? (await newKey()) };
    return this.json({ method: "POST", path: "/v1/jobs", want: [202], headers, body: JSON.stringify(job), repeatable: true, signal: options.signal });
  }

  /** What is known of a job, with its result when it has ended. */
  job(id: string, options: CallOptions = {}): Promise<JobStatus> {
    return this.json({ method: "GET", path: jobPath(id), want: [200], repeatable: true, signal: options.signal });
  }

  /** The jobs in the order in which they came, without results; pages are asked for as they are needed. */
  async *jobs(which: JobsQuery = {}): AsyncGenerator<JobStatus, void, undefined> {
    for (let after = which.after ?? ""; ; ) {
      const query = new URLSearchParams();
      if (which.state !== undefined) query.set("state", which.state);
      if (after !== "") query.set("after", after);
      if (which.page !== undefined) query.set("limit", String(which.page));
      const path = "/v1/jobs" + (query.toString() === "" ? "" : "?" + query.toString());
      const page: JobList = await this.json({ method: "GET", path, want: [200], repeatable: true, signal: which.signal });
      yield* page.jobs;
      if (page.next === undefined) return;
      after = page.next;
    }
  }

  /** Ends a job, and returns when that has happened. */
  cancel(id: string, options: CallOptions = {}): Promise<JobStatus> {
    return this.json({ method: "DELETE", path: jobPath(id), want: [200], repeatable: true, signal: options.signal });
  }

  /** Follows a job until its result, over broken connections and starts of the service; each event comes once. */
  events(id: string, options: CallOptions & { after?: string } = {}): AsyncGenerator<JobEvent> {
    return follow(this.transport, jobPath(id) + "/events", options.after ?? "", options.signal);
  }

  /** Follows a job until it has ended, and gives it with its result. */
  async wait(id: string, options: CallOptions = {}): Promise<JobStatus> {
    for await (const event of this.events(id, options)) {
      if (event.type === "result") return event.job;
    }
    return this.job(id, options);
  }

  /** Keeps a file by its content. */
  async putFile(content: Uint8Array | string, options: CallOptions = {}): Promise<KeptFile> {
    const body = typeof content === "string" ? new TextEncoder().encode(content) : content;
    const headers = { "Content-Type": "application/octet-stream" };
    return this.json({ method: "PUT", path: filePath(await sha256(body)), want: [200, 201], headers, body, repeatable: true, signal: options.signal });
  }

  /** Reads a file, and checks it. */
  async getFile(sum: string, options: CallOptions = {}): Promise<Uint8Array> {
    const call: Call = { method: "GET", path: filePath(sum), want: [200], repeatable: true, signal: options.signal };
    const content = new Uint8Array(await this.transport.read(call, (response) => response.arrayBuffer()));
    const came = await sha256(content);
    if (came !== sum) throw new Error(`file ${sum}: what came has the SHA-256 ${came}`);
    return content;
  }

  /** Deletes a file that is not in use. */
  async deleteFile(sum: string, options: CallOptions = {}): Promise<void> {
    await this.transport.send({ method: "DELETE", path: filePath(sum), want: [204], signal: options.signal });
  }

  /** The policies with their limits. */
  async policies(options: CallOptions = {}): Promise<PolicyInfo[]> {
    return (await this.json<PolicyList>({ method: "GET", path: "/v1/policies", want: [200], repeatable: true, signal: options.signal })).policies;
  }

  /** The languages, installed or not. */
  async languages(options: CallOptions = {}): Promise<LanguageInfo[]> {
    return (await this.json<LanguageList>({ method: "GET", path: "/v1/languages", want: [200], repeatable: true, signal: options.signal })).languages;
  }

  /** What the host offers, as cordon doctor --json prints it. */
  doctor(options: CallOptions = {}): Promise<unknown> {
    return this.json({ method: "GET", path: "/v1/doctor", want: [200], repeatable: true, signal: options.signal });
  }

  /** The process lives. It is asked once. */
  healthy(options: CallOptions = {}): Promise<boolean> {
    return this.probe("/healthz", options);
  }

  /** Jobs are taken. It is asked once. */
  ready(options: CallOptions = {}): Promise<boolean> {
    return this.probe("/readyz", options);
  }

  private async probe(path: string, options: CallOptions): Promise<boolean> {
    try {
      await this.transport.read({ method: "GET", path, want: [200], once: true, signal: options.signal }, (response) => response.text());
      return true;
    } catch (error) {
      if (error instanceof ProblemError && error.status === 503) return false;
      throw error;
    }
  }

  private json<T>(call: Call): Promise<T> {
    return this.transport.read(call, async (response) => JSON.parse(await response.text()) as T);
  }
}

/** The standard output as it was, whether it is text or not. */
export function stdoutBytes(result: Pick<RunResult, "stdout" | "stdout_base64">): Uint8Array {
  return result.stdout_base64 ? fromBase64(result.stdout_base64) : new TextEncoder().encode(result.stdout);
}

/** The standard error as it was. */
export function stderrBytes(result: Pick<RunResult, "stderr" | "stderr_base64">): Uint8Array {
  return result.stderr_base64 ? fromBase64(result.stderr_base64) : new TextEncoder().encode(result.stderr);
}

const asJSON = { "Content-Type": "application/json" };

/** An Idempotency-Key that no other submission has. */
export async function newKey(): Promise<string> {
  return hex((await webCrypto()).getRandomValues(new Uint8Array(16)));
}

async function sha256(content: Uint8Array): Promise<string> {
  return hex(new Uint8Array(await (await webCrypto()).subtle.digest("SHA-256", content as BufferSource)));
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
}

/** Node 18 has it, but not by this name. */
async function webCrypto(): Promise<Crypto> {
  if (globalThis.crypto !== undefined) return globalThis.crypto;
  const name = "node:crypto";
  return ((await import(name)) as { webcrypto: Crypto }).webcrypto;
}

const jobPath = (id: string) => "/v1/jobs/" + encodeURIComponent(id);
const filePath = (sum: string) => "/v1/files/" + encodeURIComponent(sum);
