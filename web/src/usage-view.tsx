import { lazy, Suspense } from "preact/compat";
import type { DeniedSyscall, LimitResult, RunResult, Usage } from "../../clients/typescript/src/index.js";
import { bytes, limitNames, limitValue, nanoseconds } from "./format.js";
import { run, type Run } from "./run.js";
import { Table } from "./table.js";

const Charts = lazy(() => import("./charts.js").then((m) => m.Charts));

/** What the job has used, against what it may use. */
export function UsageView() {
  const r = run.value;
  const usage = r?.result?.usage ?? r?.samples.at(-1)?.usage;
  if (r === undefined || usage === undefined) return <p class="empty">What a run uses comes here, while it goes on: CPU time, memory, processes, and where the time goes.</p>;
  const limits = r.result?.limits ?? {};
  return (
    <div class="usage">
      <section aria-label="Used, against the limits" class="meters">
        <Meter name="CPU time" value={usage.cpu_ns / 1e6} text={nanoseconds(usage.cpu_ns)} limit="cpu_ms" limits={limits} more={`${nanoseconds(usage.user_ns)} in the program, ${nanoseconds(usage.system_ns)} in the kernel`} parts={[usage.user_ns / 1e6, usage.system_ns / 1e6]} />
        <Meter name="Wall time" value={usage.wall_ns / 1e6} text={nanoseconds(usage.wall_ns)} limit="wall_ms" limits={limits} />
        <Meter name="Memory, at most" value={usage.memory_peak_bytes} text={bytes(usage.memory_peak_bytes)} limit="memory_bytes" limits={limits} />
        <Meter name="Processes, at most" value={usage.pids_peak} text={usage.pids_peak < 0 ? "not counted here" : String(usage.pids_peak)} limit="pids" limits={limits} />
        <Meter name="Disk" value={usage.disk_bytes} text={bytes(usage.disk_bytes)} limit="disk_bytes" limits={limits} />
        <Meter name="Output" value={Math.max(r.output.total("stdout"), r.output.total("stderr"))} text={bytes(r.output.total())} limit="output_bytes" limits={limits} />
      </section>
      <p class="small">{io(usage)}</p>
      {r.result !== undefined && <Phases r={r} result={r.result} />}
      {r.samples.length > 1 && (
        <Suspense fallback={<div class="charts" aria-busy="true" />}>
          <Charts samples={r.samples} limits={limits} />
        </Suspense>
      )}
      {r.result !== undefined && <Denied calls={r.result.events.denied_syscalls} />}
      {r.result !== undefined && <Enforced limits={limits} />}
    </div>
  );
}

function io(u: Usage): string {
  const parts = [u.io_read_bytes < 0 ? "Reading and writing of disks is not counted on this host" : `Read ${bytes(u.io_read_bytes)} from disks, wrote ${bytes(u.io_write_bytes)}`];
  if (u.throttled_ns > 0) parts.push(`held back for ${nanoseconds(u.throttled_ns)} by its share of the processors`);
  return parts.join("; ") + ".";
}

interface MeterProps {
  name: string;
  value: number;
  text: string;
  limit: string;
  limits: Record<string, LimitResult>;
  more?: string;
  parts?: number[];
}

function Meter({ name, value, text, limit, limits, more, parts }: MeterProps) {
  const of = limits[limit]?.value;
  const share = of === undefined || of <= 0 ? 0 : Math.min(1, Math.max(0, value / of));
  const bars = parts === undefined || of === undefined ? [share] : parts.map((part) => Math.min(1, part / of));
  const tone = share >= 0.98 ? "bad" : share > 0.8 ? "warn" : "";
  return (
    <div class={`meter ${tone}`}>
      <span class="what">{name}</span>
      <span class="value">
        {text}
        {of !== undefined && <span class="most"> / {limitValue(limit, of)}</span>}
      </span>
      <div class="track" role="meter" aria-label={name} aria-valuenow={Math.max(0, value)} aria-valuemin={0} aria-valuemax={Math.max(of ?? 0, value, 1)} aria-valuetext={of === undefined ? text : `${text} of ${limitValue(limit, of)}`}>
        {bars.map((bar, i) => (
          <div key={i} class={`fill part-${i}`} style={{ width: `${bar * 100}%` }} />
        ))}
      </div>
      {more && <span class="small">{more}</span>}
    </div>
  );
}

/** Where the time went. */
function Phases({ r, result }: { r: Run; result: RunResult }) {
  const t = result.timings;
  const parts: [string, string, number][] = [["queued", "Waiting", t.queued_ns], ["setup", "Set-up", t.setup_ns]];
  if (result.build !== undefined && !result.build.cached) parts.push(["build", "Build", result.build.usage.wall_ns]);
  parts.push(["run", r.kind === "tests" ? "Runs" : "Run", t.run_ns], ["teardown", "Clearing up", t.teardown_ns]);
  const all = parts.reduce((sum, [, , ns]) => sum + ns, 0) || 1;
  return (
    <section class="phases" aria-label="Where the time went">
      <h2>Where the time went</h2>
      <div class="strip" aria-hidden="true">
        {parts.map(([id, name, ns]) => (
          <div key={id} class={id} style={{ flexGrow: String(Math.max(ns / all, 0.004)) }} title={`${name}: ${nanoseconds(ns)}`} />
        ))}
      </div>
      <dl class="facts">
        {parts.map(([id, name, ns]) => (
          <div key={id}>
            <dt>
              <i class={id} aria-hidden="true" />
              {name}
            </dt>
            <dd>{nanoseconds(ns)}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

function Denied({ calls }: { calls: DeniedSyscall[] }) {
  return (
    <section>
      <h2>Denied system calls</h2>
      {calls.length === 0 ? (
        <p class="small">None: the program asked the kernel for nothing that is not on the policy's list.</p>
      ) : (
        <Table label="Denied system calls" head={["Call", "Times", "Why"]} rows={calls.map((call) => [<code key="c">{call.name}</code>, call.count.toLocaleString("en"), call.why || "It is not on the policy's list."])} />
      )}
    </section>
  );
}

function Enforced({ limits }: { limits: Record<string, LimitResult> }) {
  return (
    <section>
      <h2>What held the limits</h2>
      <Table label="What held the limits" head={["Limit", "Value", "By"]} rows={Object.entries(limits).map(([name, limit]) => [limitNames[name] ?? name, limitValue(name, limit.value), limit.enforced_by])} />
    </section>
  );
}
