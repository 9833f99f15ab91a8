import assert from "node:assert/strict";
import { token, url } from "../page.mjs";

export async function tokenIsAskedOnce(p) {
  p.expect(/401/);
  await p.page.goto(url);
  const field = p.page.getByLabel("Token of the service, or a key");
  await field.fill("wrong");
  await p.page.getByRole("button", { name: "Enter" }).click();
  await p.page.getByText("The service does not know this token.").waitFor();
  await field.fill(token);
  await p.page.keyboard.press("Enter");
  await p.page.locator(".cm-content").waitFor();
  const [session, local, cookie] = await p.page.evaluate(() => [JSON.stringify(sessionStorage), JSON.stringify(localStorage), document.cookie]);
  assert.ok(session.includes(token), "it is kept for the tab");
  assert.ok(!local.includes(token) && cookie === "", "and nowhere else");
  await p.page.reload();
  await p.page.locator(".cm-content").waitFor();
  await p.page.getByRole("button", { name: /^Leave/ }).click();
  await field.waitFor();
  assert.ok(!(await p.page.evaluate(() => JSON.stringify(sessionStorage))).includes(token), "leaving forgets it");
}

export async function linkIsGoodOnce(p) {
  const response = await fetch(url + "/v1/login-links", { method: "POST", headers: { Authorization: "Bearer " + token } });
  assert.equal(response.status, 201);
  const { code } = await response.json();
  await p.page.goto(`${url}/#login=${code}`);
  await p.page.locator(".cm-content").waitFor();
  assert.ok(!p.page.url().includes(code), "the address does not keep it");
  const session = await p.page.evaluate(() => sessionStorage.getItem("cordon.token"));
  const asks = () => fetch(url + "/v1/policies", { headers: { Authorization: "Bearer " + session } });
  assert.equal((await asks()).status, 200);
  await Promise.all([p.page.waitForResponse((r) => r.url().endsWith("/v1/session")), p.page.getByRole("button", { name: /^Leave/ }).click()]);
  assert.equal((await asks()).status, 401, "leaving ends the session");
  const again = await p.another();
  again.expect(/403/);
  await again.page.goto(`${url}/#login=${code}`);
  await again.page.getByRole("alert").filter({ hasText: /followed already|older than/ }).waitFor();
}

export async function pageIsServedSafely(p) {
  const response = await p.page.goto(url);
  const headers = response.headers();
  assert.ok(!headers["content-security-policy"].includes("unsafe"), headers["content-security-policy"]);
  assert.match(headers["content-security-policy"], /default-src 'none'.*frame-ancestors 'none'/);
  assert.equal(headers["x-content-type-options"], "nosniff");
  const sources = await p.page.evaluate(() => [...document.querySelectorAll("script[src], link[href]")].map((at) => at.src || at.href));
  for (const asset of sources.filter((at) => at.includes("/assets/"))) {
    const answer = await fetch(asset, { headers: { "Accept-Encoding": "br" } });
    assert.equal(answer.status, 200, asset);
    assert.match(answer.headers.get("cache-control"), /immutable/);
  }
  assert.match(await (await fetch(url + "/licenses.txt")).text(), /@codemirror\/view .*Permission is hereby granted/s);
  const etag = headers.etag;
  assert.equal((await fetch(url, { headers: { "Accept-Encoding": "gzip, deflate, br, zstd", "If-None-Match": etag } })).status, 304);
  // A page of another site cannot have it in a frame, nor send anything in its name.
  assert.equal((await fetch(url, { headers: { Origin: "http://elsewhere.example" } })).status, 403);
  assert.equal((await fetch(url, { headers: { "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image" } })).status, 403);
  // But a link leads to it from anywhere.
  await p.page.setContent(`<a href="${url}/">there</a>`);
  await p.page.goto("about:blank");
  await p.page.setContent(`<a href="${url}/">there</a>`);
  const [led] = await Promise.all([p.page.waitForResponse((r) => r.url() === url + "/"), p.page.getByText("there").click()]);
  assert.ok([200, 304].includes(led.status()), `led there by a link: ${led.status()}`);
}

export async function firstLoadIsSmall(p) {
  const session = await p.context.newCDPSession(p.page);
  await session.send("Network.enable");
  await session.send("Network.setCacheDisabled", { cacheDisabled: true });
  // As a client has it that takes gzip at best.
  await p.page.route("**/*", async (route) => route.continue({ headers: { ...route.request().headers(), "accept-encoding": "gzip" } }));
  let bytes = 0;
  session.on("Network.loadingFinished", (e) => (bytes += e.encodedDataLength));
  await p.enter();
  await p.page.waitForLoadState("networkidle");
  p.note = `first load ${bytes} bytes`;
  assert.ok(bytes > 50_000 && bytes < 300_000, p.note);
}
