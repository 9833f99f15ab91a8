import assert from "node:assert/strict";

export async function testsSideBySide(p) {
  const cases = [{ name: "right", stdin: "1 2\n", expect: "3\n" }, { name: "wrong", stdin: "2 2\n", expect: "5\nand more\n" }, { name: "slow", stdin: "0 0\n", expect: "0\n" }];
  await p.program(`read a b; [ $a = 0 ] && sleep 20; echo $((a + b))\n`, { cases, limits: { wall_ms: 700 } });
  await p.tab("Tests");
  await p.page.getByRole("button", { name: "Run all" }).click();
  await p.page.locator(".verdict.warn").waitFor();
  assert.equal(await p.page.locator(".verdict strong").innerText(), "1 of 3 tests passed");
  assert.deepEqual(await p.page.locator(".badge").allInnerTexts(), ["Passed", "Wrong answer", "Took too long"]);
  const rows = await p.page.locator(".diff tbody tr").evaluateAll((all) => all.map((row) => [...row.cells].map((cell) => cell.innerText)));
  assert.deepEqual(rows, [["4", "5"], ["no such line", "and more"]]);
  await p.page.getByLabel("Expected").nth(1).fill("4\n");
  await p.page.getByRole("button", { name: "Remove test slow" }).click();
  await p.page.keyboard.press("Control+Enter");
  await p.page.getByText("All 2 tests passed").waitFor();
}

export async function usageAgainstLimits(p) {
  await p.program(`import ctypes, time\nctypes.CDLL(None).ptrace(16, 1, 0, 0)\nkept = bytearray(b"x" * (40 << 20))\nend = time.time() + 1\nwhile time.time() < end: sum(range(1000))\n`, { language: "python" });
  await p.run();
  assert.equal(await p.verdict(), "Finished");
  await p.tab("Usage");
  const memory = p.page.getByRole("meter", { name: /Memory/ });
  assert.ok(Number(await memory.getAttribute("aria-valuenow")) > 40 << 20);
  assert.equal(Number(await memory.getAttribute("aria-valuemax")), 256 << 20);
  for (const phase of ["Waiting", "Set-up", "Run", "Clearing up"]) await p.page.locator(".phases dt").getByText(phase, { exact: true }).waitFor();
  await p.page.getByRole("img", { name: /^Memory over time, up to \d+(\.\d)? MiB/ }).waitFor();
  assert.ok((await p.page.locator(".plot canvas").count()) >= 3);
  const denied = await p.page.getByRole("region", { name: "Denied system calls" }).locator("tbody tr").innerText();
  assert.match(denied, /ptrace\s+1\s+\S+ \S+/);
}

export async function terminalTalks(p) {
  await p.program(`printf 'name? '; read name; printf '\\033[38;2;10;200;30mhello %s\\033[0m\\n' "$name"; stty size; read wait\n`);
  await p.tab("Terminal");
  await p.page.getByRole("button", { name: "Run in the terminal" }).click();
  const screen = p.page.locator(".xterm-rows");
  await screen.getByText("name?").waitFor();
  await p.tab("Usage"); // the session goes on meanwhile
  await p.tab("Terminal");
  await p.page.locator(".xterm-helper-textarea").focus();
  await p.page.keyboard.type("Ada\n");
  await screen.getByText("hello Ada").first().waitFor();
  await screen.getByText(/^\s*\d+ \d+\s*$/).first().waitFor();
  await p.page.keyboard.type("\n");
  await p.page.getByText("the program has ended").first().waitFor();
  assert.equal(await p.verdict(), "Finished");
  await p.page.getByRole("button", { name: "A shell in a cell" }).click();
  await screen.getByText("$").first().waitFor();
  await p.page.keyboard.type("echo $((6*7)); exit\n");
  await screen.getByText(/^\s*42\s*$/).first().waitFor();
  await p.page.keyboard.press("Control+]");
  assert.equal(await p.page.evaluate(() => document.activeElement.id), "tab-right-terminal", "a key leads out of it");
  await p.page.getByText("the program has ended").first().waitFor();
}

export async function terminalOnlyWhereThePolicyAllows(p) {
  await p.program("true\n", { policy: "judge" });
  await p.tab("Terminal");
  await p.page.getByText("The policy judge has no terminals").waitFor();
}

export async function referenceFromTheDescription(p) {
  await p.enter(undefined, "/api");
  await p.page.getByText("POST").first().waitFor();
  await p.page.getByPlaceholder("a route or a type").fill("/v1/run");
  const routes = p.page.locator("main details");
  await p.page.waitForFunction(() => document.querySelectorAll("main details").length === 1);
  await routes.first().locator("summary").click();
  await routes.first().getByRole("link", { name: "RunRequest" }).waitFor();
}

export async function insideAsBothSawIt(p) {
  await p.program("echo still run\n");
  await p.tab("Inside");
  await p.page.getByRole("button", { name: "Run and look inside" }).click();
  assert.equal(await p.verdict(), "Finished");
  const claims = p.page.getByRole("list", { name: "What is promised" }).locator("li");
  assert.ok((await claims.count()) >= 8);
  assert.equal(await p.page.getByRole("img", { name: "does not hold" }).count(), 0, await claims.allInnerTexts());
  const namespaces = await p.page.getByRole("region", { name: "Namespaces" }).locator("tbody tr").evaluateAll((all) => all.map((row) => [...row.cells].map((cell) => cell.innerText)));
  assert.deepEqual(namespaces.map(([kind]) => kind).sort(), ["cgroup", "ipc", "mnt", "net", "pid", "user", "uts"]);
  for (const [kind, job, host] of namespaces) assert.equal(host, `${job}, its own`, kind);
  await p.tab("Output");
  assert.deepEqual(await p.lines(), ["still run"]);
}

export async function statusForOperators(p) {
  const running = await p.another();
  await running.program("sleep 20\n");
  await running.run();
  await running.page.locator(".verdict strong").getByText("Running…").waitFor();
  await p.enter(undefined, "/status");
  await p.page.getByRole("region", { name: "Jobs" }).locator("tbody tr").filter({ hasText: "sh" }).first().waitFor();
  assert.ok(parseInt(await p.page.locator(".tile dd").first().innerText(), 10) >= 1);
  await p.page.getByRole("region", { name: "This host", exact: true }).getByText("ready", { exact: true }).waitFor();
  await p.page.getByText("Metrics, as Prometheus reads them").click();
  await p.page.getByLabel("Metrics", { exact: true }).getByText("cordon_").first().waitFor();
  await running.page.getByRole("button", { name: "Stop" }).click();
  assert.equal(await running.verdict(), "Stopped");
}
