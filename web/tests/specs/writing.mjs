import assert from "node:assert/strict";
import { fragment, token, url } from "../page.mjs";

export async function severalFiles(p) {
  await p.program(`import part\n\nprint(part.answer())\n`, { language: "python" });
  await p.page.getByRole("button", { name: "Add a file" }).click();
  await p.page.getByLabel("Name of this file").waitFor();
  await p.page.locator(".cm-content").click();
  await p.page.keyboard.insertText("def answer():\n    return 6 * 7\n");
  await p.page.keyboard.press("Control+Enter");
  assert.equal(await p.verdict(), "Finished");
  assert.deepEqual(await p.lines(), ["42"]);
}

export async function inputAndArguments(p) {
  await p.program(`read line; echo "$line: $#: $2"\n`);
  await p.page.getByLabel("Standard input").fill("given\n");
  await p.page.getByLabel("Arguments").fill(`one 'two words'`);
  await p.run();
  assert.equal(await p.verdict(), "Finished");
  assert.deepEqual(await p.lines(), ["given: 2: two words"]);
}

export async function onlyLanguagesThatAreThere(p) {
  await p.enter();
  const names = await p.page.getByLabel("Language").locator("option").allInnerTexts();
  assert.ok(names.some((n) => n.startsWith("Python")) && names.some((n) => n.startsWith("POSIX shell")), names.join());
  assert.ok(!names.some((n) => /Rust|Java/.test(n)), "what the service was not given is not offered");
  await p.page.getByLabel("Language").selectOption("sh");
  await p.page.locator(".cm-content").getByText("for i in 1 2 3").waitFor();
  await p.page.getByLabel("Examples").selectOption({ label: "Looks around" });
  await p.run();
  assert.equal(await p.verdict(), "Finished");
  assert.match((await p.lines()).join("\n"), /NoNewPrivs:\s*1/);
}

export async function limitsWithinThePolicy(p) {
  await p.program("ulimit -n\n");
  await p.tab("Limits");
  const slider = p.page.getByLabel("Memory", { exact: true });
  await slider.press("End");
  const sent = p.page.waitForRequest((r) => r.method() === "POST" && r.url().endsWith("/v1/jobs"));
  await p.run();
  assert.equal((await sent).postDataJSON().limits.memory_bytes, 512 << 20);
  assert.equal(await p.verdict(), "Finished");
  await p.page.getByLabel("Policy").selectOption("judge");
  await p.page.getByRole("button", { name: "Reset" }).click();
  const other = p.page.waitForRequest((r) => r.method() === "POST" && r.url().endsWith("/v1/jobs"));
  await p.run();
  const job = (await other).postDataJSON();
  assert.equal(job.policy, "judge");
  assert.equal(job.limits, undefined);
  assert.equal(await p.verdict(), "Finished");
}

export async function sharedByALink(p) {
  await p.context.grantPermissions(["clipboard-read", "clipboard-write"]);
  const text = `echo "ünïcode & ${"long ".repeat(500)}"\n`;
  await p.program(text, { stdin: "x", cases: [{ name: "a", stdin: "1", expect: "2" }] });
  await p.page.getByRole("button", { name: "Share" }).click();
  const field = p.page.getByLabel("A link that holds all of it", { exact: true });
  const link = await field.inputValue();
  await p.page.getByRole("button", { name: "Copy: A link that holds all of it" }).click();
  await p.page.getByText("Copied.").waitFor();
  assert.equal(await p.page.evaluate(() => navigator.clipboard.readText()), link);
  assert.match(link, /#code=[\w-]+$/);
  const q = await p.another();
  const posts = [];
  q.page.on("request", (r) => r.method() === "POST" && posts.push(r.url()));
  await q.enter(undefined, "/" + new URL(link).hash);
  await q.page.getByText("This code came with a link").waitFor();
  const draft = await q.page.evaluate(() => new Promise((done) => setTimeout(() => done(JSON.parse(localStorage.getItem("cordon.draft"))), 500)));
  assert.equal(draft.files[0].text, text);
  assert.deepEqual([draft.stdin, draft.cases[0].expect], ["x", "2"]);
  assert.deepEqual(posts, [], "nothing runs by being opened");
  await p.page.goto("about:blank");
  await p.enter({ ...draft, files: [{ name: "main.sh", text: "echo another\n" }] });
  await p.page.getByRole("button", { name: "Back to what was here" }).click();
  await p.page.locator(".cm-content").getByText("ünïcode").waitFor();
  const broken = await p.another();
  await broken.enter(undefined, "/#code=AAAA");
  await broken.page.getByText(/The link cannot be read/).waitFor();
}

export async function rememberedHere(p) {
  await p.program("echo before\n");
  await p.page.locator(".cm-content").click();
  await p.page.keyboard.press("Control+End");
  await p.page.keyboard.insertText("echo kept\n");
  await p.page.goto(url + "/api");
  await p.page.goto(url + "/");
  await p.page.locator(".cm-content").getByText("kept").waitFor();
}

export async function hostileLink(p) {
  const draft = { language: "nonsense", policy: "<b>", files: [{ name: "../../etc/passwd", text: "<img src=x onerror=alert(1)>" }, null, 7], stdin: 9, limits: { memory_bytes: 1e30, nonsense: 5 }, cases: "x", compare: "eval" };
  await p.enter(undefined, "/" + fragment(draft));
  await p.page.locator(".cm-content").getByText("<img src=x onerror=alert(1)>").waitFor();
  assert.equal(await p.page.locator("img[src=x]").count(), 0);
  await p.page.getByText("does not have the language nonsense").waitFor();
}

/** Names and limits of a link are such that they are seen, and can be asked for. */
export async function namesAndLimitsOfALink(p) {
  await p.program("cat part2 a/exe.txt", { files: [{ name: "main.sh", text: "cat part2 txt.exe\n" }, { name: "", text: "two " }, { name: "\u202etxt.\u200bexe", text: "three" }], limits: { memory_bytes: 1e8 + 0.5, output_bytes: 0.2 } });
  const names = await p.page.getByRole("tablist", { name: "Files" }).getByRole("tab").allInnerTexts();
  assert.deepEqual(names, ["main.sh", "part2", "txt.exe"]);
  await p.run();
  assert.equal(await p.verdict(), "Finished");
  assert.deepEqual(await p.lines(), ["two three"]);
}

/** Letters that are not seen, or that turn others around, are shown in what came by a link. */
export async function unseenLettersAreShown(p) {
  await p.program("x='a\u202e\u2066b\u2069'\ny='\u200b\u202a\u2060'\nz=\u{e0041}\necho ünïcode \u05d0 \t.\n");
  await p.page.locator(".cm-specialChar").first().waitFor();
  assert.equal(await p.page.locator(".cm-specialChar").count(), 7);
  await p.accessible("special letters", ["color-contrast", "aria-allowed-attr"]);
}

/** A link that somebody else leads to does not cost what was written here. */
export async function workOutlivesLinks(p) {
  const back = p.page.getByRole("button", { name: "Back to what was here" });
  const shows = (text) => p.page.locator(".cm-content").getByText(text).waitFor();
  const leave = async (to) => {
    await p.page.goto("about:blank");
    await p.page.goto(url + "/" + to);
  };
  await p.program("echo mine\n");
  await shows("mine");
  const of = (name) => fragment({ language: "sh", policy: "playground", files: [{ name: "main.sh", text: `echo ${name}\n` }] });
  await leave(of("first"));
  await shows("first");
  await leave(of("second")); // the first was nobody's work
  await shows("second");
  await leave("");
  await shows("second");
  await back.click();
  await shows("mine");
  await leave("");
  await shows("mine");
  assert.equal(await back.count(), 0, "what was decided is not asked again");
}

export async function keyboardAlone(p) {
  await p.enter();
  const key = (name) => p.page.keyboard.press(name);
  const focused = () => p.page.evaluate(() => { let at = document.activeElement; while (at?.shadowRoot?.activeElement) at = at.shadowRoot.activeElement; return at?.getAttribute("aria-label") ?? at?.innerText ?? at?.tagName; });
  const until = async (pattern) => {
    for (let i = 0; i < 40; i++) {
      if (pattern.test((await focused()) ?? "")) return;
      await key("Tab");
    }
    assert.fail(`Tab does not lead to ${pattern}; at ${await focused()}`);
  };
  await until(/^Source of/);
  await key("Control+a");
  await p.page.keyboard.type("print('by keys')");
  await key("Home");
  await p.page.keyboard.type("if True:\n");
  await key("Shift+Tab"); // there is an indentation already, for the line before asks for it
  await key("Tab");
  assert.match(await focused(), /^Source of/);
  await key("Control+Enter");
  assert.equal(await p.verdict(), "Finished");
  await key("Escape");
  await key("Tab");
  assert.doesNotMatch(await focused(), /^Source of/, "Escape, then Tab leaves the editor");
  await until(/^Output$/);
  await key("ArrowRight");
  assert.match(await focused(), /^Usage/);
  await p.page.getByText("Where the time went").first().waitFor();
  await key("End");
  assert.match(await focused(), /^Terminal/);
}

export async function keptForAShortLink(p) {
  const text = `echo kept ${Math.random()}\n`;
  await p.program(text);
  await p.page.getByRole("button", { name: "Share" }).click();
  await p.page.getByRole("button", { name: "Keep it here" }).click();
  const link = await p.page.getByLabel("A short link", { exact: true }).inputValue();
  assert.match(link, /#snippet=[0-9a-f]{64}$/);
  await p.accessible("the dialog");
  await p.page.keyboard.press("Escape");
  assert.equal(await p.page.getByRole("dialog").count(), 0);
  const q = await p.another(); // who has no token yet is asked for it first
  await q.page.goto(link);
  await q.page.getByLabel("Token of the service, or a key").fill(token);
  await q.page.keyboard.press("Enter");
  await q.page.getByText("This code came with a link").waitFor();
  await q.page.locator(".cm-content").getByText("kept").waitFor();
  await q.run();
  assert.equal(await q.verdict(), "Finished");
  assert.deepEqual(await q.lines(), [text.slice(5, -1)]);
}
