import { change, draft } from "./draft.js";
import { bytes, limitNames, limitValue } from "./format.js";
import { rulesOf, type LimitRule } from "./limits.js";
import { language } from "./playground.js";
import { policies } from "./session.js";
import { within } from "./settle.js";

/** The policy, and the limits within what it allows. */
export function Limits() {
  const d = draft.value;
  const policy = policies.value.find((p) => p.name === d.policy);
  const needs = language()?.minimum?.run?.memory_bytes ?? 0;
  const rules = rulesOf(policy);
  const memory = d.limits.memory_bytes ?? rules.find((r) => r.name === "memory_bytes")?.usual ?? 0;
  return (
    <div class="limits">
      <div class="row">
        <label>
          <span>Policy</span>
          <select value={d.policy} onChange={(e) => change({ policy: e.currentTarget.value, limits: within(d.limits, e.currentTarget.value) })}>
            {policies.value.map((p) => (
              <option key={p.name}>{p.name}</option>
            ))}
          </select>
        </label>
        <p class="small">{policy?.description}</p>
        <button type="button" class="link" disabled={Object.keys(d.limits).length === 0} onClick={() => change({ limits: {} })}>
          Reset
        </button>
      </div>
      {needs > memory && <p class="warn small">{language()?.name} needs {bytes(needs)} of memory for its smallest program.</p>}
      <div class="sliders">
        {rules.map((rule) => (
          <Slider key={d.policy + rule.name} rule={rule} value={d.limits[rule.name] ?? rule.usual} />
        ))}
      </div>
    </div>
  );
}

function Slider({ rule, value }: { rule: LimitRule; value: number }) {
  const nearest = rule.steps.reduce((best, step, i) => (Math.abs(step - value) < Math.abs((rule.steps[best] ?? 0) - value) ? i : best), 0);
  const set = (step: number) => {
    const limits = { ...draft.value.limits, [rule.name]: rule.steps[step] ?? rule.usual };
    if (limits[rule.name] === rule.usual) delete limits[rule.name];
    change({ limits });
  };
  const id = `limit-${rule.name}`;
  return (
    <div class={value === rule.usual ? "slider" : "slider changed"} title={rule.reason}>
      <label for={id}>{limitNames[rule.name] ?? rule.name}</label>
      <output for={id}>
        {limitValue(rule.name, value)} <span class="most">/ {limitValue(rule.name, rule.most)}</span>
      </output>
      <input id={id} type="range" min="0" max={rule.steps.length - 1} value={nearest} aria-valuetext={`${limitValue(rule.name, value)} of at most ${limitValue(rule.name, rule.most)}`} onInput={(e) => set(Number(e.currentTarget.value))} />
    </div>
  );
}
