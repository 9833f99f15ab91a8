import { lazy, Suspense } from "preact/compat";
import { signal } from "@preact/signals";
import type { JobRequest } from "../../clients/typescript/src/index.js";
import { draft, jobOf } from "./draft.js";
import { Icon } from "./icons.js";
import { allowsInteractive, ruleOf } from "./limits.js";
import { language } from "./playground.js";
import { busy, run } from "./run.js";
import { policies } from "./session.js";

const Session = lazy(() => import("./terminal.js").then((m) => m.Session));

/** The job of the session that is shown; each begins a new one. */
const session = signal<{ job: JobRequest; number: number } | undefined>(undefined);

export function TerminalTab() {
  const policy = policies.value.find((p) => p.name === draft.value.policy);
  if (!allowsInteractive(policy)) {
    return (
      <p class="empty">
        The policy {draft.value.policy} has no terminals: {ruleOf(policy, "interactive")?.reason ?? "it says nothing of them."} Choose another one under Limits.
      </p>
    );
  }
  const begin = (job: JobRequest) => void (session.value = { job, number: (session.value?.number ?? 0) + 1 });
  const of = language();
  const program = () => {
    if (of === undefined) return;
    const { stdin: _, ...job } = jobOf(draft.value, of);
    begin(job);
  };
  const shell = () => begin({ policy: draft.value.policy, command: ["sh", "-i"], ...(Object.keys(draft.value.limits).length > 0 ? { limits: draft.value.limits } : {}) });
  const going = busy(run.value);
  return (
    <div class="terminal-tab">
      <div class="row">
        <button type="button" class="primary" onClick={program} disabled={going || of === undefined}>
          <Icon name="play" /> Run in the terminal
        </button>
        <button type="button" onClick={shell} disabled={going}>
          A shell in a cell
        </button>
        <span class="small">All keys go to the program; Ctrl-] leaves the terminal. Its wall limit ends the session.</span>
      </div>
      {session.value !== undefined && (
        <Suspense fallback={<div aria-busy="true" />}>
          <Session key={session.value.number} job={session.value.job} />
        </Suspense>
      )}
    </div>
  );
}
