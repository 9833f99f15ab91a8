import assert from "node:assert/strict";

const small = { cpu_ms: 300, wall_ms: 700, memory_bytes: 16 << 20, output_bytes: 4096 };
const only = (...names) => Object.fromEntries(names.map((name) => [name, small[name]]));

const table = [
  ["Finished", "true\n", {}, /Exit status 0/, /wall/, /CPU/],
  ["Finished with an error", "exit 3\n", {}, /exit status 3/],
  ["Ended by a signal", "kill -SEGV $$\n", {}, /SIGSEGV/, /not its own/],
  ["Out of CPU time", "while :; do :; done\n", { limits: only("cpu_ms") }, /300 ms were allowed/, /up to 10 s/, /Run again with 600 ms/],
  ["Took too long", "sleep 20\n", { limits: only("wall_ms") }, /after 700 ms/, /mostly waiting/],
  ["Printed too much", "while :; do echo many; done\n", { limits: only("output_bytes") }, /more than 4 KiB on standard output/],
  ["Did not build", "int main(void) { return undeclared; }\n", { language: "c" }, /exit status 1/],
  ["Ended for a system call", "import ctypes\nlibc = ctypes.CDLL(None)\nfor i in range(5000):\n    libc.ptrace(16, 1, 0, 0)\n", { language: "python" }, /ptrace/],
];

/** Each is told in words: what happened, which limit, what was used, what to do. */
export async function eachVerdict(p) {
  await p.enter();
  for (const [title, text, more, ...words] of table) {
    await p.next(text, more);
    await p.run();
    await p.page.locator(".verdict strong").getByText(title, { exact: true }).waitFor();
    const told = await p.page.locator(".verdict-place").innerText();
    for (const word of words) assert.match(told, word);
  }
}

/** The limit can be raised from where it is told of. */
export async function verdictMemory(p) {
  await p.program("blocks = []\nwhile True:\n    blocks.append(bytearray(4 << 20))\n", { language: "python", limits: only("memory_bytes") });
  await p.run();
  assert.equal(await p.verdict(), "Out of memory");
  assert.match(await p.page.locator(".verdict-place").innerText(), /more than the 16 MiB/);
  const sent = p.page.waitForRequest((r) => r.method() === "POST" && r.url().endsWith("/v1/jobs"));
  await p.page.getByRole("button", { name: "Run again with 32 MiB of memory" }).click();
  assert.equal((await sent).postDataJSON().limits.memory_bytes, 32 << 20);
  await p.page.getByText("more than the 32 MiB").waitFor();
}

/** Those that no program of a visitor's can bring about: a result is changed on its way. */
export async function verdictsOfTheRest(p) {
  await p.program("true\n");
  const rest = { exec_failed: "Could not be started", checker_failed: "The checker failed", interrupted: "Cut off", internal_error: "The service failed", skipped: "Not run" };
  let verdict = "";
  await p.page.route("**/events*", async (route) => {
    const answer = await route.fetch();
    await route.fulfill({ response: answer, body: (await answer.text()).replace('"verdict":"ok"', `"verdict":"${verdict}"`).replace('"message":""', '"message":"as the service says it"') });
  });
  for (const [name, title] of Object.entries(rest)) {
    verdict = name;
    await p.run();
    await p.page.locator(".verdict strong").getByText(title, { exact: true }).waitFor();
  }
}

export async function refusedByThePolicy(p) {
  await p.program("true\n");
  p.expect(/422/);
  await p.page.route("**/v1/jobs", (route) => route.continue({ postData: JSON.stringify({ ...route.request().postDataJSON(), limits: { memory_bytes: 1 << 40 } }) }));
  await p.run();
  assert.equal(await p.verdict(), "Not run");
  assert.match(await p.page.locator(".verdict-place").innerText(), /limits\.memory_bytes.*asked .*allowed/s);
}
