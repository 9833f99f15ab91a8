// The pictures of docs/images, taken from the service at CORDON_URL. Arguments: the directory.
import { join } from "node:path";
import { opening, url } from "./page.mjs";

const to = process.argv[2];
const browser = await opening();
const shot = (p, name) => p.page.screenshot({ path: join(to, name + ".png") });
const size = { viewport: { width: 1280, height: 800 } };

const examples = async (p, language, name) => {
  await p.page.getByLabel("Language").selectOption(language);
  await p.page.getByLabel("Examples").selectOption({ label: name });
};

const light = await browser.fresh({ ...size, colorScheme: "light" });
await light.enter();
await examples(light, "python", "Takes too much memory");
await light.run();
await light.verdict();
await shot(light, "verdict");
await examples(light, "python", "Uses CPU, memory and disk");
await light.tab("Usage");
await light.run();
await light.page.locator(".phases").waitFor();
await light.page.waitForTimeout(500); // the charts' last picture
await shot(light, "usage");
await examples(light, "sh", "Looks around");
await light.tab("Inside");
await light.page.getByRole("button", { name: "Run and look inside" }).click();
await light.page.getByRole("list", { name: "What is promised" }).waitFor();
await shot(light, "inside");
await examples(light, "python", "Reads input, with tests");
await light.tab("Tests");
await light.page.getByLabel("Expected").nth(1).fill("-3\n");
await light.page.getByRole("button", { name: "Run all" }).click();
await light.page.locator(".diff").waitFor();
await shot(light, "tests");
await light.page.goto(url + "/status");
await light.page.getByRole("region", { name: "This host", exact: true }).waitFor();
await light.page.waitForTimeout(500);
await shot(light, "status");

const dark = await browser.fresh({ ...size, colorScheme: "dark" });
await dark.enter();
await examples(dark, "python", "Tries what is forbidden");
await dark.run();
await dark.verdict();
await dark.page.getByRole("button", { name: "Times" }).click();
await shot(dark, "playground-dark");
await dark.tab("Terminal");
await dark.page.getByRole("button", { name: "A shell in a cell" }).click();
await dark.page.locator(".xterm-rows").getByText("$").first().waitFor();
await dark.page.keyboard.type("id; ls /; ps\n", { delay: 10 });
await dark.page.locator(".xterm-rows").getByText("uid=1000").first().waitFor();
await dark.page.waitForTimeout(500);
await shot(dark, "terminal");

const phone = await browser.fresh({ viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2, colorScheme: "light" });
await phone.enter();
await examples(phone, "python", "Hello");
await phone.run();
await phone.verdict();
await phone.page.locator(".right").scrollIntoViewIfNeeded();
await phone.page.evaluate(() => document.querySelector(".right").scrollIntoView({ block: "end" }));
await shot(phone, "phone");
await browser.close();
