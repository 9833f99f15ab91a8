import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

export async function streamsAndStops(p) {
  await p.program(`echo first; echo second >&2; sleep 25; echo never\n`);
  await p.run();
  await p.page.locator(".line").getByText("second").waitFor();
  assert.match(await p.page.locator(".verdict strong").innerText(), /Running/);
  // As the page itself has it, without the way between it and this program.
  await p.page.evaluate(() => {
    const place = document.querySelector(".verdict-place");
    addEventListener("click", () => (window.pressed = performance.now()), { capture: true });
    new MutationObserver(() => (window.stopped ??= place.innerText.startsWith("Stopped") ? performance.now() : undefined)).observe(place, { subtree: true, childList: true, characterData: true });
  });
  await p.page.getByRole("button", { name: "Stop" }).click();
  assert.equal(await p.verdict(), "Stopped");
  p.note = `stopped within ${Math.round(await p.page.evaluate(() => window.stopped - window.pressed))} ms`;
  assert.deepEqual((await p.lines()).sort(), ["first", "second"]);
}

// Prints, and goes on when the service has read it: else a busy machine decides the order.
const tell = `import fcntl, os, struct, termios, time


def tell(stream, text):
    os.write(stream, text.encode())
    while struct.unpack("i", fcntl.ioctl(stream, termios.FIONREAD, b"    "))[0] > 0:
        time.sleep(0.002)
    time.sleep(PAUSE)


`;

export async function keepsOrderTimesAndColours(p) {
  await p.program(tell.replace("PAUSE", "0.15") + `for i in (1, 2, 3):\n    tell(1, f"\\033[1;32mout {i}\\033[0m tail\\n")\n    tell(2, f"err {i}\\n")\ntell(1, "half\\rwhole\\n")\n`, { language: "python" });
  await p.run();
  assert.equal(await p.verdict(), "Finished");
  assert.deepEqual(await p.lines(), ["out 1 tail", "err 1", "out 2 tail", "err 2", "out 3 tail", "err 3", "whole"]);
  assert.equal(await p.page.locator(".line.stderr").count(), 3);
  const [weight, colour] = await p.page.locator(".line .text span").first().evaluate((at) => [getComputedStyle(at).fontWeight, getComputedStyle(at).color]);
  assert.equal(weight, "700");
  assert.notEqual(colour, await p.page.locator(".line.stderr .text").first().evaluate((at) => getComputedStyle(at).color));
  await p.page.getByRole("button", { name: "Times" }).click();
  const times = (await p.page.locator(".line .at").allInnerTexts()).map(parseFloat);
  assert.deepEqual(times, [...times].sort((a, b) => a - b));
  assert.ok(times[5] - times[0] > 0.5, times.join());
}

export async function shortOutputKeepsItsOrder(p) {
  await p.program(tell.replace("PAUSE", "0.01") + `for i in range(3):\n    tell(1, f"out {i}\\n")\n    tell(2, f"err {i}\\n")\n`, { language: "python" });
  await p.run();
  assert.equal(await p.verdict(), "Finished");
  assert.deepEqual(await p.lines(), ["out 0", "err 0", "out 1", "err 1", "out 2", "err 2"]);
}

export async function longOutputStaysSmooth(p) {
  await p.program(`seq 1 200000 | head -c 240000\nprintf '\\n%0100000d\\n' 7 >&2\n`, { limits: { output_bytes: 262144 } });
  await p.run();
  assert.equal(await p.verdict(), "Finished");
  await p.page.locator(".foot").getByText(/lines?, /).waitFor();
  assert.ok((await p.page.locator(".line").count()) < 150, "only what can be seen is there");
  const box = p.page.getByRole("log");
  await box.evaluate((at) => (at.scrollTop = 0));
  await p.page.locator(".line .text").first().getByText("1", { exact: true }).waitFor();
  await box.evaluate((at) => (at.scrollTop = at.scrollHeight / 2));
  await p.page.waitForFunction(() => Number(document.querySelector(".line .text")?.textContent) > 10000);
  const [download] = await Promise.all([p.page.waitForEvent("download"), p.page.getByRole("button", { name: "stdout" }).click()]);
  const all = readFileSync(await download.path(), "utf8");
  assert.ok(all.startsWith("1\n2\n3\n") && all.length === 240000, `the download has all: ${all.length}`);
}

export async function withoutAQueue(p) {
  await p.program("echo direct; echo wrong >&2\n");
  p.expect(/404/);
  // As a service with --queue-jobs 0 answers.
  const problem = { type: "about:blank", title: "Not Found", status: 404, code: "not_found", detail: "no such path" };
  await p.page.route("**/v1/jobs", (route) => route.fulfill({ status: 404, contentType: "application/problem+json", body: JSON.stringify(problem) }));
  const note = p.page.getByText("This service has no queue").waitFor();
  await p.run();
  await Promise.all([note, p.verdict()]);
  assert.deepEqual((await p.lines()).sort(), ["direct", "wrong"]);
}

export async function comesBackAfterABreak(p) {
  await p.program(`for i in 1 2 3 4 5 6; do echo $i; sleep 0.3; done\n`);
  p.expect(/ERR_|Failed to load/);
  let broken = 0;
  const seen = [];
  await p.page.route("**/events*", async (route) => {
    seen.push(route.request().headers()["last-event-id"] ?? "");
    if (broken++ === 0) return route.abort("connectionreset");
    return route.continue();
  });
  await p.run();
  assert.equal(await p.verdict(), "Finished");
  assert.ok(seen.length >= 2, "the stream was opened again");
  assert.deepEqual(await p.lines(), ["1", "2", "3", "4", "5", "6"]);
}
