// Drives a browser through the page of the service at CORDON_URL. Prints a line of JSON for
// each spec; test/e2e/web_test.go makes a test of each.
import { opening } from "./page.mjs";
import * as output from "./specs/output.mjs";
import * as entering from "./specs/entering.mjs";
import * as writing from "./specs/writing.mjs";
import * as verdicts from "./specs/verdicts.mjs";
import * as tabs from "./specs/tabs.mjs";
import * as looks from "./specs/looks.mjs";

const patience = 90_000; // a guard against hanging, and nothing else
const enough = 5;
const only = process.argv[2];
const specs = Object.entries({ ...entering, ...writing, ...output, ...verdicts, ...tabs, ...looks }).filter(([name]) => only === undefined || name.includes(only));
const browser = await opening();
let failures = 0;

async function one([name, spec]) {
  const began = performance.now();
  let wrong = "";
  const page = await browser.fresh();
  let timer;
  try {
    const late = new Promise((_, reject) => (timer = setTimeout(() => reject(new Error("it hangs")), patience)));
    await Promise.race([spec(page), late]);
    page.clean();
  } catch (error) {
    wrong = `${error.stack}\nthe page: ${await page.describe()}`;
    failures++;
  } finally {
    clearTimeout(timer);
    await page.close();
  }
  console.log(JSON.stringify({ name, wrong, note: page.note ?? "", took: (performance.now() - began) / 1000 }));
}

// Two at a time: one of them mostly waits for its job.
const queue = [...specs];
const worker = async () => {
  for (let spec; (spec = queue.shift()) !== undefined; ) {
    // When the service or the browser is gone, each of the rest would wait for it in vain.
    if (failures < enough) await one(spec);
    else console.log(JSON.stringify({ name: spec[0], wrong: `not run: ${failures} others have failed`, took: 0 }));
  }
};
await Promise.all([worker(), worker()]);
await browser.close();
console.log(JSON.stringify({ all: specs.length }));
process.exitCode = failures > 0 ? 1 : 0;
