// Tries the client against a running service. The second URL leads to the same service over
// a line that breaks.
import { Client, ProblemError, stderrBytes, stdoutBytes, type JobRequest } from "../src/index.js";

declare const process: { argv: string[] };

const [direct = "", broken = "", token = ""] = process.argv.slice(2);
const client = new Client(direct, { token });
const shaky = new Client(broken, { token });
const shell = (text: string): JobRequest => ({ command: ["sh", "-c", text] });

function same(what: string, got: unknown, want: unknown): void {
  if (JSON.stringify(got) !== JSON.stringify(want)) throw new Error(`${what}: ${JSON.stringify(got)}, want ${JSON.stringify(want)}`);
}

async function refused(what: string, call: Promise<unknown>, code: string, status: number): Promise<ProblemError> {
  try {
    await call;
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    same(what, [error.code, error.status], [code, status]);
    return error;
  }
  throw new Error(`${what}: not refused`);
}

async function run() {
  const result = await client.run(shell("echo out; printf '\\377' >&2; exit 3"));
  same("run", [result.verdict, result.exit_code, result.stdout, [...stderrBytes(result)]], ["nonzero", 3, "out\n", [255]]);
  const problem = await refused("a policy", client.run({ ...shell("true"), policy: "none" }), "unknown_policy", 422);
  same("its field", problem.path, "policy");
  await refused("a token", new Client(direct, { token: "wrong" }).policies(), "unauthorized", 401);
}

async function files() {
  const { sha256, size_bytes } = await client.putFile("kept ä\n");
  same("size", size_bytes, 8);
  same("again", await client.putFile(new TextEncoder().encode("kept ä\n")), { sha256, size_bytes });
  const result = await client.run({ command: ["cat", "a"], files: [{ path: "a", sha256 }] });
  same("in a job", result.stdout, "kept ä\n");
  same("read", new TextDecoder().decode(await client.getFile(sha256)), "kept ä\n");
  await client.deleteFile(sha256);
  await refused("deleted", client.getFile(sha256), "unknown_file", 404);
}

async function follow() {
  const key = "typescript-" + Date.now();
  const job = { ...shell("for i in 1 2 3 4 5 6 7 8; do echo line $i; sleep 0.05; done; printf '\\377\\n'; echo error >&2"), retry_safe: true };
  const { id } = await shaky.submit(job, { key }); // whose first answer is lost
  same("the same key", (await client.submit(job, { key })).id, id);
  const stdout: number[] = [];
  const types: string[] = [];
  let stderr = "";
  for await (const event of shaky.events(id)) {
    types.push(event.type);
    if (event.type === "stdout") {
      same("offset", event.output.offset, stdout.length);
      stdout.push(...event.output.data);
    } else if (event.type === "stderr") stderr += new TextDecoder().decode(event.output.data);
    else if (event.type === "result") {
      const result = event.job.result;
      if (result === undefined) throw new Error("no result");
      same("stdout", stdout, [...stdoutBytes(result)]);
      same("the end", [event.job.state, event.job.attempts, result.verdict, stderr, stdout.length], ["done", 1, "ok", "error\n", 58]);
    }
  }
  same("the last", types[types.length - 1], "result");
  same("wait", (await shaky.wait(id)).state, "done");
  await refused("unknown", client.job("00000000-0000-7000-8000-000000000000"), "unknown_job", 404);
}

async function cancel() {
  const { id } = await client.submit(shell("sleep 1000"));
  const controller = new AbortController();
  for await (const event of client.events(id, { signal: controller.signal })) {
    if (event.type === "state" && event.job.state === "running") break;
  }
  controller.abort();
  for (const _ of [1, 2]) same("cancel", (await client.cancel(id)).state, "cancelled");
  const found: string[] = [];
  for await (const job of client.jobs({ state: "cancelled", page: 1 })) found.push(job.id);
  same("listed", found.includes(id), true);
}

async function host() {
  same("alive", [await client.healthy(), await client.ready()], [true, true]);
  same("policies", (await client.policies()).some((p) => p.name === "judge"), true);
  same("languages", (await client.languages()).find((l) => l.id === "sh")?.status, "ok");
  same("doctor", typeof (await client.doctor()), "object");
}

await Promise.all([run(), files(), follow(), cancel(), host()]);
console.log("everything held");
