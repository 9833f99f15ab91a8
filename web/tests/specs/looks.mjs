import assert from "node:assert/strict";
import { url } from "../page.mjs";

const white = /rgb\(255, 255, 255\)/;
const panel = (p) => p.page.locator(".right").evaluate((at) => getComputedStyle(at).backgroundColor);

export async function lightAndDark(p) {
  await p.enter();
  assert.match(await panel(p), white);
  await p.page.getByRole("button", { name: "Dark colours" }).click();
  assert.doesNotMatch(await panel(p), white);
  await p.page.reload();
  await p.page.locator(".right").waitFor();
  assert.doesNotMatch(await panel(p), white, "the choice is remembered");
  const q = await p.another({ colorScheme: "dark" });
  await q.enter();
  assert.doesNotMatch(await panel(q), white, "as the system has it");
}

export async function onAPhone(p) {
  const q = await p.another({ viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 });
  await q.program("echo from a phone\n");
  await q.run();
  assert.equal(await q.verdict(), "Finished");
  for (const name of ["Output", "Usage", "Inside", "Tests", "Terminal"]) {
    await q.tab(name);
    assert.equal(await q.page.evaluate(() => document.documentElement.scrollWidth), 360, `${name}: nothing stands beyond the edge`);
  }
  await q.accessible("on a phone");
  const small = await q.page.locator("button:visible, select:visible, input:visible").evaluateAll((all) => all.filter((at) => at.getBoundingClientRect().height < 22).map((at) => at.outerHTML.slice(0, 80)));
  assert.deepEqual(small, [], "all can be hit by a finger");
}

const views = (colorScheme, rules) => async (p) => {
  const q = await p.another({ colorScheme });
  await q.page.goto(url);
  await q.page.getByLabel("Token of the service").waitFor();
  await q.accessible("the entrance", rules);
  const cases = [{ name: "wrong", stdin: "", expect: "5\n" }];
  await q.program(`echo out; echo err >&2; printf '\\033[31mred \\033[32mgreen \\033[33myellow \\033[34mblue\\033[0m\\n'; exit 1\n`, { cases });
  await q.accessible("before a run", rules);
  await q.run();
  await q.verdict();
  await q.accessible("output", rules);
  await q.tab("Limits");
  for (const name of ["Usage", "Inside", "Terminal", "Tests"]) {
    await q.tab(name);
    if (name === "Usage") await q.page.getByText("What held the limits").first().waitFor();
    await q.accessible(name, rules);
  }
  await q.page.getByRole("button", { name: "Run all" }).click();
  await q.page.locator(".badge").waitFor();
  await q.accessible("tests with results", rules);
  for (const path of ["/status", "/api"]) {
    await q.page.goto(url + path);
    await q.page.locator(path === "/api" ? "main details" : "main section").first().waitFor();
    await q.accessible(path, rules);
  }
};

export const accessibleInLight = views("light");
export const accessibleInDark = views("dark", ["color-contrast"]); // colours are all that differs
