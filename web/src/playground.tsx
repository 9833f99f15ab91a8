import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { draft, runOf, testsOf } from "./draft.js";
import { Files } from "./files.js";
import { Input } from "./input.js";
import { InsideView } from "./inside.js";
import { Limits } from "./limits-view.js";
import { back, before, dismiss, notice } from "./opening.js";
import { OutputView } from "./output-view.js";
import { busy, run, start, stop } from "./run.js";
import { languages } from "./session.js";
import { settle } from "./settle.js";
import { Tabs } from "./tabs.js";
import { TerminalTab } from "./terminal-tab.js";
import { TestsView } from "./tests-view.js";
import { Toolbar } from "./toolbar.js";
import { UsageView } from "./usage-view.js";
import { VerdictView } from "./verdict-view.js";

export const shown = signal("output");
const below = signal("input");

export const language = () => languages.value.find((l) => l.id === draft.value.language);

/** Runs the program, or its tests where those are looked at. */
export function go(): void {
  const of = language();
  if (of === undefined || busy(run.value)) return;
  const tests = shown.value === "tests" && draft.value.cases.length > 0;
  if (tests) return void start("tests", testsOf(draft.value, of));
  const inside = shown.value === "inside"; // asking costs the run some time
  if (!["output", "usage", "inside"].includes(shown.value)) shown.value = "output";
  void start("run", { ...runOf(draft.value, of), ...(inside ? { inspect: true } : {}) });
}

export function Playground() {
  useEffect(() => settle(), [languages.value]);
  useEffect(() => {
    const key = (event: KeyboardEvent) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        go();
      } else if (event.key === "." && (event.ctrlKey || event.metaKey) && busy(run.value)) {
        event.preventDefault();
        void stop();
      }
    };
    addEventListener("keydown", key);
    return () => removeEventListener("keydown", key);
  }, []);
  const r = run.value;
  return (
    <main class="playground">
      <h1 class="unseen">Playground</h1>
      <Toolbar />
      {notice.value && (
        <p class="notice" role="status">
          <span>{notice.value}</span>
          {before() && (
            <button type="button" class="link" onClick={back}>
              Back to what was here
            </button>
          )}
          <button type="button" class="link" onClick={dismiss}>
            Dismiss
          </button>
        </p>
      )}
      <section class="left" aria-label="Program">
        <Files />
        <div class="below">
          <Tabs label="What the program gets" panel="below" tabs={[{ id: "input", name: "Input" }, { id: "limits", name: "Limits", mark: changes() }]} at={below.value} choose={(id) => void (below.value = id)} />
          <div id="panel-below" role="tabpanel" aria-labelledby={`tab-below-${below.value}`} class="panel">
            {below.value === "input" ? <Input /> : <Limits />}
          </div>
        </div>
      </section>
      <section class="right" aria-label="What happened">
        <VerdictView />
        <Tabs label="What happened" panel="right" at={shown.value} choose={(id) => void (shown.value = id)}
          tabs={[{ id: "output", name: "Output" }, { id: "usage", name: "Usage", mark: denied(r?.result?.events.denied_syscalls.length) }, { id: "inside", name: "Inside" }, { id: "tests", name: "Tests", mark: count(draft.value.cases.length) }, { id: "terminal", name: "Terminal" }]} />
        <div id="panel-right" role="tabpanel" aria-labelledby={`tab-right-${shown.value}`} class={`panel at-${shown.value}`}>
          {panel(shown.value)}
          {/* Its session goes on while something else is looked at. */}
          <div class="kept" hidden={shown.value !== "terminal"}>
            <TerminalTab />
          </div>
        </div>
      </section>
    </main>
  );
}

function panel(id: string) {
  switch (id) {
    case "usage":
      return <UsageView />;
    case "inside":
      return <InsideView />;
    case "tests":
      return <TestsView />;
    case "terminal":
      return null;
  }
  return <OutputView />;
}

const count = (n: number) => (n > 0 ? <span class="count">{n}</span> : undefined);
const denied = (n: number | undefined) => (n ? <span class="count bad" title={`${n} system calls were denied`}>{n}</span> : undefined);
const changes = () => count(Object.keys(draft.value.limits).length);
