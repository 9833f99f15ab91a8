import { draft, replace, type Draft } from "./draft.js";
import { examplesOf, type Example } from "./examples.js";
import { rulesOf } from "./limits.js";
import { notice } from "./opening.js";
import { languages, policies } from "./session.js";

const firstChoice = ["python", "javascript", "c", "sh"];
const firstPolicy = ["playground", "default"];

/** Makes the draft one that this service can run: what it does not have is not chosen. */
export function settle(): void {
  const d = draft.value;
  const of = (ids: string[]) => ids.map((id) => languages.value.find((l) => l.id === id)).find((l) => l !== undefined);
  const language = of([d.language, ...firstChoice]) ?? languages.value[0];
  const policy = [d.policy, ...firstPolicy].map((name) => policies.value.find((p) => p.name === name)).find((p) => p !== undefined) ?? policies.value[0];
  if (language === undefined || policy === undefined) return;
  const missing = [d.language !== "" && d.language !== language.id ? `the language ${d.language}; ${language.name} is chosen instead` : "", d.policy !== "" && d.policy !== policy.name ? `the policy ${d.policy}; ${policy.name} is chosen instead` : ""].filter(Boolean);
  if (missing.length > 0) notice.value = `${notice.value} This service does not have ${missing.join(", and not ")}.`.trim();
  const next: Draft = { ...d, language: language.id, policy: policy.name, limits: within(d.limits, policy.name) };
  if (d.files.length === 0) {
    Object.assign(next, withExample(next, examplesOf(language.id, language.family)[0]));
    replace(next);
  } else if (next.language !== d.language || next.policy !== d.policy || JSON.stringify(next.limits) !== JSON.stringify(d.limits)) {
    draft.value = next;
  }
}

/** Limits as a policy allows them. */
export function within(limits: Record<string, number>, policyName: string): Record<string, number> {
  const rules = rulesOf(policies.value.find((p) => p.name === policyName));
  const out: Record<string, number> = {};
  for (const rule of rules) {
    const asked = limits[rule.name];
    if (asked === undefined || asked === rule.usual) continue;
    const bounded = Math.min(Math.max(asked, rule.steps[0] ?? rule.usual), rule.most);
    out[rule.name] = rule.name === "cpus" ? bounded : Math.round(bounded);
  }
  return out;
}

export function withExample(d: Draft, example: Example | undefined): Draft {
  const name = languages.value.find((l) => l.id === d.language)?.source_file ?? "main";
  return { ...d, files: [{ name, text: example?.text ?? "" }], stdin: example?.stdin ?? "", args: "", cases: example?.cases ?? [], compare: "exact" };
}

/** Another language: what was written is kept, unless it is an example that nobody has touched. */
export function speak(id: string): void {
  const to = languages.value.find((l) => l.id === id);
  const from = languages.value.find((l) => l.id === draft.value.language);
  if (to === undefined) return;
  const [main, ...others] = draft.value.files;
  const next = { ...draft.value, language: id };
  const same = to.family !== undefined && to.family === from?.family;
  const untouched = main === undefined || main.text.trim() === "" || (from !== undefined && examplesOf(from.id, from.family).some((e) => e.text === main.text));
  if (!same && untouched && others.length === 0) {
    replace(withExample(next, examplesOf(to.id, to.family)[0]));
  } else {
    replace({ ...next, files: [{ name: to.source_file, text: main?.text ?? "" }, ...others.filter((f) => f.name !== to.source_file)] });
  }
}
