import type { Compare, TestResult } from "../../clients/typescript/src/index.js";
import { stdoutBytes } from "../../clients/typescript/src/index.js";
import { apart, sideBySide, type Row } from "./diff.js";
import { change, draft, type Case } from "./draft.js";
import { bytes, nanoseconds } from "./format.js";
import { Icon } from "./icons.js";
import { go } from "./playground.js";
import { busy, run } from "./run.js";
import { titleOf, toneOf } from "./verdict.js";

const compares: [Compare, string][] = [["exact", "exactly"], ["trim", "but for space at line ends"], ["tokens", "word by word"], ["float", "numbers nearly"], ["unordered_lines", "lines in any order"]];

/** Pairs of input and expected output, and what came of each. */
export function TestsView() {
  const d = draft.value;
  const set = (cases: Case[]) => change({ cases });
  const results = run.value?.kind === "tests" ? (run.value.result?.tests ?? []) : [];
  return (
    <div class="tests-view">
      <div class="row">
        <button type="button" class="primary" onClick={go} disabled={d.cases.length === 0 || busy(run.value)}>
          <Icon name="play" /> Run all
        </button>
        <button type="button" onClick={() => set([...d.cases, { name: "", stdin: "", expect: "" }])}>
          <Icon name="plus" /> Add a test
        </button>
        <label class="inline">
          <span>Outputs are the same</span>
          <select value={d.compare} onChange={(e) => change({ compare: e.currentTarget.value as Compare })}>
            {compares.map(([id, name]) => (
              <option key={id} value={id}>
                {name}
              </option>
            ))}
          </select>
        </label>
      </div>
      {d.cases.length === 0 && <p class="empty">A test is an input and the output that is expected for it. The program is built once, and each test runs in a cell of its own.</p>}
      <ol>
        {d.cases.map((one, i) => (
          <CaseView key={i} number={i + 1} one={one} result={results[i]} set={(what) => set(d.cases.map((c, at) => (at === i ? { ...c, ...what } : c)))} remove={() => set(d.cases.filter((_, at) => at !== i))} />
        ))}
      </ol>
    </div>
  );
}

function CaseView({ number, one, result, set, remove }: { number: number; one: Case; result: TestResult | undefined; set: (what: Partial<Case>) => void; remove: () => void }) {
  const name = one.name || String(number);
  return (
    <li class="case card">
      <div class="row">
        <label>
          <span class="unseen">Name of test {number}</span>
          <input class="case-name" value={one.name} placeholder={`test ${number}`} onInput={(e) => set({ name: e.currentTarget.value })} />
        </label>
        {result !== undefined && <span class={`badge ${toneOf(result.verdict)}`}>{result.verdict === "ok" ? "Passed" : titleOf(result.verdict)}</span>}
        {result !== undefined && result.verdict !== "skipped" && (
          <span class="small">
            {nanoseconds(result.usage.cpu_ns)} CPU, {bytes(result.usage.memory_peak_bytes)}
          </span>
        )}
        <span class="gap" />
        <button type="button" class="icon" onClick={remove} aria-label={`Remove test ${name}`} title={`Remove test ${name}`}>
          <Icon name="close" />
        </button>
      </div>
      <div class="pair">
        <label>
          <span>Input</span>
          <textarea spellcheck={false} rows={2} value={one.stdin} onInput={(e) => set({ stdin: e.currentTarget.value })} />
        </label>
        <label>
          <span>Expected</span>
          <textarea spellcheck={false} rows={2} value={one.expect} onInput={(e) => set({ expect: e.currentTarget.value })} />
        </label>
      </div>
      {result !== undefined && result.verdict !== "ok" && result.verdict !== "skipped" && (
        <>
          <p class="small">{result.message}</p>
          {result.verdict === "wrong_answer" && <Difference name={name} got={new TextDecoder().decode(stdoutBytes(result))} expected={one.expect} cut={result.truncated.stdout} />}
          {result.stderr !== "" && <pre tabIndex={0} aria-label={`Standard error of test ${name}`}>{result.stderr}</pre>}
        </>
      )}
    </li>
  );
}

function Difference({ name, got, expected, cut }: { name: string; got: string; expected: string; cut: boolean }) {
  const rows = sideBySide(got, expected).slice(0, 500);
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={`Difference of test ${name}`}>
      <table class="diff">
        <thead>
          <tr>
            <th scope="col">Printed{cut && " (the beginning)"}</th>
            <th scope="col">Expected</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row, i) => (
            <tr key={i} class={row.left === row.right ? "" : "differs"}>
              <td>{side(row.left, row.right)}</td>
              <td>{side(row.right, row.left)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {got !== expected && rows.every((row: Row) => row.left === row.right) && <p class="small">They differ in white space at the end alone.</p>}
    </div>
  );
}

function side(line: string | undefined, other: string | undefined) {
  if (line === undefined) return <i class="none">no such line</i>;
  if (other === undefined || line === other) return line === "" ? "\u00a0" : line;
  const { before, behind } = apart(line, other);
  return (
    <>
      {line.slice(0, before)}
      <mark>{line.slice(before, line.length - behind) || "\u2423"}</mark>
      {line.slice(line.length - behind)}
    </>
  );
}
