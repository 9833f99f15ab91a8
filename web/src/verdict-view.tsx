import { change, draft } from "./draft.js";
import { bytes, limitNames, limitValue, nanoseconds } from "./format.js";
import { rulesOf } from "./limits.js";
import { go } from "./playground.js";
import { run, type Run } from "./run.js";
import { policies } from "./session.js";
import { withoutResult, wordsOf, type Words } from "./verdict.js";

const going: Record<string, string> = { sending: "Sending…", queued: "Waiting for a place…", running: "Running…", stopping: "Stopping…" };

/** What became of the last run, in words. */
export function VerdictView() {
  const r = run.value;
  return (
    <div class="verdict-place" role="status" aria-live="polite">
      {r === undefined ? <p class="verdict idle"><strong>Ready</strong><span class="keys">Ctrl-Enter runs the program, Ctrl-. stops it.</span></p> : r.phase === "ended" ? <Ended r={r} /> : <p class="verdict going"><strong>{r.kind === "tests" && r.phase === "running" ? "Running the tests…" : going[r.phase]}</strong>{r.status?.waiting_for && <span>It waits for {r.status.waiting_for}.</span>}{r.note && <span>{r.note}</span>}</p>}
    </div>
  );
}

function Ended({ r }: { r: Run }) {
  if (r.refused !== undefined) return <Refused r={r} />;
  if (r.result === undefined) return <Told words={r.note ? { tone: "warn", title: "Stopped", what: "", next: "" } : withoutResult(r.status?.state ?? "")} />;
  const rules = rulesOf(policies.value.find((p) => p.name === r.job.policy));
  const most = (limit: string) => rules.find((rule) => rule.name === limit)?.most;
  const words = wordsOf(r.result, most);
  if (r.result.summary !== undefined) Object.assign(words, ofTests(r));
  const u = r.result.usage;
  return (
    <Told words={words}>
      <dl class="facts">
        <Fact name="wall" value={nanoseconds(u.wall_ns)} />
        <Fact name="CPU" value={nanoseconds(u.cpu_ns)} />
        <Fact name="memory" value={bytes(u.memory_peak_bytes)} />
        {r.result.build !== undefined && <Fact name="build" value={r.result.build.cached ? "kept from before" : nanoseconds(r.result.build.usage.wall_ns)} />}
      </dl>
      {r.note && <p class="small">{r.note}</p>}
      {words.limit !== undefined && <More limit={words.limit} r={r} />}
    </Told>
  );
}

function ofTests(r: Run): Partial<Words> {
  const s = r.result?.summary;
  if (s === undefined || r.result?.verdict === "build_failed") return {};
  const all = s.passed === s.total;
  return { tone: all ? "ok" : "warn", title: all ? `All ${s.total} tests passed` : `${s.passed} of ${s.total} tests passed`, what: all ? "" : "The tab Tests shows each.", next: "" };
}

function Refused({ r }: { r: Run }) {
  const { text, denials } = r.refused ?? { text: "", denials: [] };
  return (
    <Told words={{ tone: "bad", title: "Not run", what: denials.length > 0 ? "The policy does not allow it:" : text, next: "" }}>
      {denials.length > 0 && (
        <ul>
          {denials.map((d) => (
            <li key={d.field}>
              <code>{d.field}</code>: asked {d.asked}, allowed {d.allowed}. {d.hint}
            </li>
          ))}
        </ul>
      )}
    </Told>
  );
}

function Told({ words, children }: { words: Words; children?: preact.ComponentChildren }) {
  return (
    <div class={`verdict ${words.tone}`}>
      <p>
        <strong>{words.title}</strong>
        <span>{words.what}</span>
      </p>
      {words.next && <p class="next">{words.next}</p>}
      {children}
    </div>
  );
}

const Fact = ({ name, value }: { name: string; value: string }) => (
  <div>
    <dt>{name}</dt>
    <dd>{value}</dd>
  </div>
);

/** Runs again with more of what was short, as far as the policy goes. */
function More({ limit, r }: { limit: string; r: Run }) {
  const rule = rulesOf(policies.value.find((p) => p.name === r.job.policy)).find((one) => one.name === limit);
  const had = (r.job.limits as Record<string, number> | undefined)?.[limit] ?? rule?.usual ?? 0;
  if (rule === undefined || had >= rule.most || r.kind === "terminal") return null;
  const next = Math.min(rule.most, had * 2);
  return (
    <button type="button" onClick={() => {
      change({ limits: { ...draft.value.limits, [limit]: next } });
      go();
    }}>
      Run again with {limitValue(limit, next)} of {(limitNames[limit] ?? limit).replace(/^[A-Z](?=[a-z])/, (c) => c.toLowerCase())}
    </button>
  );
}
