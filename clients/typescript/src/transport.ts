import { ProblemError, problemOf } from "./problem.js";

/** How a Client is made. */
export interface ClientOptions {
  /** The service's bearer token, as cordon token prints it. */
  token?: string;
  /** How often a request is sent again at most, where that cannot run anything twice; 8 when absent. */
  retries?: number;
  /** Milliseconds between two times, at most; 5000 when absent. */
  longestWait?: number;
  /** Another fetch than the global one. */
  fetch?: typeof fetch;
}

/** What most calls may be given. */
export interface CallOptions {
  signal?: AbortSignal;
}

export interface Call {
  method: string;
  path: string;
  want: number[];
  headers?: Record<string, string>;
  body?: string | Uint8Array | Blob;
  /** Twice is as good as once. */
  repeatable?: boolean;
  once?: boolean;
  signal?: AbortSignal | undefined;
}

const firstWait = 100;

/** Sends requests, again where that cannot run anything twice. */
export class Transport {
  readonly retries: number;
  readonly longestWait: number;
  private readonly base: string;
  private readonly headers: Record<string, string>;
  private readonly fetch: typeof fetch;

  constructor(url: string, options: ClientOptions) {
    const at = new URL(url);
    if (!["http:", "https:"].includes(at.protocol) || at.username || at.password || at.search || at.hash) {
      throw new TypeError("url: one such as http://127.0.0.1:8080 or https://host/below is wanted");
    }
    if (options.token !== undefined && !/^[!-~]*$/.test(options.token)) {
      throw new TypeError("token: visible ASCII characters without spaces are wanted");
    }
    this.base = at.href.replace(/\/+$/, "");
    this.retries = options.retries ?? 8;
    this.longestWait = options.longestWait ?? 5000;
    this.headers = options.token ? { Authorization: "Bearer " + options.token } : {};
    this.fetch = options.fetch ?? globalThis.fetch.bind(globalThis);
  }

  /** Gives an answer that is wanted, with its body unread. */
  send(call: Call): Promise<Response> {
    return this.read(call, async (response) => response);
  }

  /** Gives what is read of an answer that is wanted. */
  async read<T>(call: Call, reading: (response: Response) => Promise<T>): Promise<T> {
    for (let attempt = 0; ; attempt++) {
      let error: unknown;
      let again = call.repeatable ?? false;
      let wait = this.pause(attempt);
      try {
        const response = await this.try(call);
        if (call.want.includes(response.status)) return await reading(response);
        const problem = await problemOf(call.method, response);
        error = problem;
        wait = Math.max(wait, problem.retryAfter ?? 0);
        const busy = [429, 503].includes(problem.status) && (again || problem.retryAfter !== undefined);
        again = busy || ([502, 504].includes(problem.status) && again);
      } catch (broken) {
        error = broken;
        again = again && passes(broken);
      }
      if (call.once || !again || attempt >= this.retries || wait > this.longestWait || call.signal?.aborted) throw error;
      await sleep(wait, call.signal);
    }
  }

  /** Grows with each attempt; half of it is left to chance. */
  pause(attempt: number): number {
    const longest = Math.min(firstWait * 2 ** Math.min(attempt, 20), this.longestWait);
    return longest / 2 + (Math.random() * longest) / 2;
  }

  private try(call: Call): Promise<Response> {
    const init: RequestInit = { method: call.method, headers: { ...call.headers, ...this.headers }, redirect: "manual", cache: "no-store" };
    if (call.body !== undefined) init.body = call.body as BodyInit;
    if (call.signal !== undefined) init.signal = call.signal;
    return this.fetch(this.base + call.path, init);
  }
}

/** What may be otherwise in a moment: what breaks, and what the service says will pass. */
export function passes(error: unknown): boolean {
  if (error instanceof ProblemError) return [429, 502, 503, 504].includes(error.status);
  return error instanceof TypeError || error instanceof Broken; // fetch says TypeError for what the network did
}

/** A stream that ended before its last event. */
export class Broken extends Error {
  override readonly name = "Broken";
}

export function sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const ended = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", ended);
      resolve();
    }, milliseconds);
    if (signal?.aborted) ended();
    else signal?.addEventListener("abort", ended, { once: true });
  });
}
