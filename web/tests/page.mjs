// A browser, and pages in it that notice what must not happen.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { deflateRawSync } from "node:zlib";
import { chromium } from "playwright-core";

export const url = process.env.CORDON_URL;
export const token = process.env.CORDON_TOKEN;
const axe = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const executable = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync);

export async function opening() {
  if (executable === undefined) throw new Error("Chromium is missing; run: apt-get install chromium");
  // Chromium's own sandbox wants rights that the service's user does not have; it loads this service's page alone.
  const browser = await chromium.launch({ executablePath: executable, args: ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage", "--no-first-run"] });
  return { fresh: (options) => fresh(browser, options), close: () => browser.close() };
}

/** A page in a profile of its own. */
async function fresh(browser, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, colorScheme: "light", ...options });
  context.setDefaultTimeout(60_000);
  const page = await context.newPage();
  return new Page(browser, context, page);
}

export class Page {
  said = [];
  strangers = [];
  expected = [];
  others = [];

  constructor(browser, context, page) {
    Object.assign(this, { browser, context, page });
    page.on("console", (m) => ["error", "warning"].includes(m.type()) && this.said.push(`${m.type()}: ${m.text()} (${m.location().url})`));
    page.on("pageerror", (e) => this.said.push("uncaught: " + e.message));
    page.on("request", (r) => !/^(data|blob):/.test(r.url()) && new URL(r.url()).origin !== new URL(url).origin && this.strangers.push(r.url()));
  }

  /** Another one, with a profile of its own. */
  async another(options) {
    const page = await fresh(this.browser, options);
    this.others.push(page);
    return page;
  }

  /** What the console will say, and may. */
  expect(pattern) {
    this.expected.push(pattern);
  }

  clean() {
    const wrong = this.said.filter((text) => !this.expected.some((pattern) => pattern.test(text)));
    assert.deepEqual(wrong, [], "the console is silent");
    assert.deepEqual(this.strangers, [], "nothing is asked of others");
    for (const other of this.others) other.clean();
  }

  async close() {
    for (const other of this.others) await other.context.close();
    await this.context.close();
  }

  async describe() {
    try {
      return (await this.page.innerText("body", { timeout: 1000 })).replace(/\s+/g, " ").slice(0, 1500) + " " + this.said.join("; ");
    } catch (error) {
      return error.message;
    }
  }

  /** Opens the page with the token, and with a draft where one is given. */
  async enter(draft, path = "/") {
    await this.page.addInitScript((t) => location.protocol !== "about:" && sessionStorage.setItem("cordon.token", t), token);
    await this.page.goto("about:blank"); // else another fragment alone loads nothing
    await this.page.goto(url + path + (draft === undefined ? "" : fragment(draft)));
    if (path === "/") await this.page.locator(".cm-content").waitFor();
  }

  /** A program in a language, as a link would bring it. */
  program(text, more = {}) {
    return this.enter(draftOf(text, more));
  }

  /** Another program in the page that is there. */
  async next(text, more = {}) {
    const there = this.page.waitForFunction((t) => JSON.stringify(localStorage.getItem("cordon.draft")).includes(JSON.stringify(JSON.stringify(t)).slice(3, -3)), text);
    await this.page.evaluate((hash) => void (location.hash = hash), fragment(draftOf(text, more)));
    await there;
  }

  run() {
    return this.page.getByRole("button", { name: /^Run/ }).first().click();
  }

  /** Waits for the end, and gives its title. */
  async verdict() {
    const at = this.page.locator(".verdict.ok, .verdict.warn, .verdict.bad");
    await at.waitFor();
    return this.page.locator(".verdict strong").first().innerText();
  }

  tab(name) {
    return this.page.getByRole("tab", { name, exact: false }).first().click();
  }

  lines() {
    return this.page.locator(".line .text").allInnerTexts();
  }

  /** What axe-core finds: all of its rules, those of WCAG 2.2 AA among them, or some. */
  async accessible(what, rules) {
    await this.page.evaluate(axeSource());
    const found = await this.page.evaluate((only) => window.axe.run(document, { resultTypes: ["violations"], ...(only === undefined ? {} : { runOnly: only }) }), rules);
    const wrong = found.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(" ") + " " + (n.any[0]?.message ?? "")).join("; ")}`);
    assert.deepEqual(wrong, [], what);
  }
}

let source;
const axeSource = () => (source ??= readFileSync(axe, "utf8") + ";undefined");

const names = { python: "main.py", sh: "main.sh", c: "main.c" };

function draftOf(text, more = {}) {
  const language = more.language ?? "sh";
  return { language, policy: "playground", files: [{ name: names[language], text }], stdin: "", args: "", limits: {}, cases: [], compare: "exact", ...more };
}

export const fragment = (draft) => "#code=" + deflateRawSync(JSON.stringify(draft)).toString("base64url");
