import { Fragment } from "preact";
import { useEffect, useState } from "preact/hooks";
import { lazy, Suspense } from "preact/compat";
import { ProblemError, type ServiceStatus, type Verdict } from "../../clients/typescript/src/index.js";
import { problemOf } from "../../clients/typescript/src/problem.js";
import { bytes, nanoseconds, plural, round } from "./format.js";
import { said, token } from "./session.js";
import { titleOf, toneOf } from "./verdict.js";
import { Table } from "./table.js";

const Latency = lazy(() => import("./latency.js").then((m) => m.Latency));

interface Doctor {
  ready: boolean;
  rows: { name: string; status: string; found: string; lost: string; mend?: string }[];
}

async function ask<T>(path: string): Promise<T> {
  const response = await fetch(path, { headers: { Authorization: "Bearer " + token.value }, cache: "no-store" });
  if (!response.ok) throw await problemOf("GET", response);
  return (await response.json()) as T;
}

/** How the service does: for operators. */
export function Status() {
  const [status, setStatus] = useState<ServiceStatus>();
  const [doctor, setDoctor] = useState<Doctor>();
  const [wrong, setWrong] = useState("");
  useEffect(() => {
    let over = false;
    let timer: ReturnType<typeof setTimeout>;
    const look = async () => {
      try {
        if (!document.hidden) setStatus(await ask<ServiceStatus>("/v1/status"));
        setWrong("");
      } catch (error) {
        setWrong(error instanceof ProblemError && error.code === "missing_scope" ? "This key may not see it: the status is the operator's, and of keys with the scope status." : said(error));
      }
      if (!over) timer = setTimeout(() => void look(), 2000);
    };
    void look();
    ask<Doctor>("/v1/doctor").then(setDoctor, () => undefined); // not for every key
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }, []);
  return (
    <main class="wide status" aria-busy={status === undefined && wrong === ""}>
      <h1>Status</h1>
      {wrong && <p role="alert" class="bad">{wrong}</p>}
      {status !== undefined && <Figures s={status} />}
      {doctor !== undefined && <DoctorView doctor={doctor} />}
    </main>
  );
}

function Figures({ s }: { s: ServiceStatus }) {
  const states = s.queue?.states ?? {};
  return (
    <>
      <p class="row small">
        <span>Version {s.version}</span>
        <span>since {new Date(s.started_at).toLocaleString()}</span>
        {s.draining && <strong class="bad">It ends, and takes no jobs.</strong>}
        <a href="/api">API</a>
        <span>
          Metrics for Prometheus: <code>{s.links.metrics}</code>
        </span>
      </p>
      <dl class="tiles">
        <Tile name="Running" value={String(s.places.running)} more={`${round(s.places.cpus)} of ${round(s.places.cpus_most)} processors promised`} />
        <Tile name="Waiting for a place" value={String(s.places.waiting)} more={`${bytes(s.places.memory_bytes)} of memory promised`} />
        {s.queue !== undefined && <Tile name="In the queue" value={String(states.queued ?? 0)} more={`${states.running ?? 0} begun, ${(states.done ?? 0).toLocaleString("en")} results kept`} />}
        <Tile name="Warm cells" value={String(s.cells.reduce((sum, c) => sum + c.warm, 0))} more={`${s.cells.reduce((sum, c) => sum + c.wanted, 0)} wanted`} />
        <Tile name="Jobs within the hour" value={s.hour.jobs.toLocaleString("en")} more={s.hour.jobs === 0 ? "" : `half of them within ${nanoseconds(s.hour.total_ns.p50)}`} />
        <Tile name="Left behind" value={String(s.places.leaks)} more="since the start; it should be 0" />
      </dl>
      <div class="columns">
        <Verdicts s={s} />
        <section class="card">
          <h2>Latency within the last hour</h2>
          {s.hour.jobs === 0 ? <p class="small">No job has ended.</p> : <LatencyTable s={s} />}
          {s.minutes.length > 1 && (
            <Suspense fallback={<div class="plot" aria-busy="true" />}>
              <Latency minutes={s.minutes} />
            </Suspense>
          )}
        </section>
      </div>
      <Jobs s={s} />
      <div class="columns">
        <Cells s={s} />
        <Tenants s={s} />
      </div>
    </>
  );
}

const Tile = ({ name, value, more }: { name: string; value: string; more: string }) => (
  <div class="tile card">
    <dt>{name}</dt>
    <dd>
      {value} <span class="small">{more}</span>
    </dd>
  </div>
);

function Verdicts({ s }: { s: ServiceStatus }) {
  const all = Object.entries(s.hour.verdicts).sort(([, a], [, b]) => b - a) as [Verdict, number][];
  return (
    <section class="card">
      <h2>Verdicts within the last hour</h2>
      {all.length === 0 && <p class="small">No job has ended.</p>}
      <div class="bars">
        {all.map(([verdict, n]) => (
          <Fragment key={verdict}>
            <span>{titleOf(verdict)}</span>
            <div class="track" aria-hidden="true">
              <div class={toneOf(verdict)} style={{ width: `${(n / s.hour.jobs) * 100}%` }} />
            </div>
            <span class="number">{n.toLocaleString("en")}</span>
          </Fragment>
        ))}
      </div>
    </section>
  );
}

function LatencyTable({ s }: { s: ServiceStatus }) {
  const rows: [string, ServiceStatus["hour"]["run_ns"]][] = [["waiting", s.hour.queued_ns], ["set-up", s.hour.setup_ns], ["run", s.hour.run_ns], ["all", s.hour.total_ns]];
  return <Table label="Latency of jobs" head={["", "half within", "90 % within", "99 % within"]} rows={rows.map(([name, q]) => [name, nanoseconds(q.p50), nanoseconds(q.p90), nanoseconds(q.p99)])} />;
}

function Jobs({ s }: { s: ServiceStatus }) {
  return (
    <section class="card">
      <h2>Jobs that run or wait for a place</h2>
      {s.jobs.length === 0 ? (
        <p class="small">None.</p>
      ) : (
        <Table label="Jobs" head={["Job", "Tenant", "Policy", "Language", "For", "CPU", "Memory"]} rows={s.jobs.map((j) => [<code key="i">{j.id}</code>, j.tenant ?? "the operator", j.policy, j.language ?? "", (j.waiting ? "waits " : "") + nanoseconds(Math.max(0, Date.parse(s.now) - Date.parse(j.since)) * 1e6), j.usage === undefined ? "" : nanoseconds(j.usage.cpu_ns), j.usage === undefined ? "" : bytes(j.usage.memory_bytes)])} />
      )}
      {s.inside > s.jobs.length && <p class="small">{plural(s.inside - s.jobs.length, "more")}</p>}
    </section>
  );
}

function Cells({ s }: { s: ServiceStatus }) {
  return (
    <section class="card">
      <h2>Warm cells</h2>
      <Table label="Warm cells by kind" head={["Policies", "Waiting", "Wanted", "In use"]} rows={s.cells.map((c) => [c.policies.join(", "), c.warm, c.wanted, c.users])} />
    </section>
  );
}

function Tenants({ s }: { s: ServiceStatus }) {
  return (
    <section class="card">
      <h2>Tenants</h2>
      {s.tenants.length === 0 ? <p class="small">There are none; everything is the operator's.</p> : <Table label="Tenants" head={["Tenant", "Running", "Waiting", "CPU within the hour", "Files"]} rows={s.tenants.map((t) => [t.name, t.running, t.waiting, round(t.cpu_seconds_hour) + " s", bytes(t.stored_bytes)])} />}
    </section>
  );
}

function DoctorView({ doctor }: { doctor: Doctor }) {
  const bad = doctor.rows.filter((row) => row.status !== "ok");
  return (
    <section class="card" aria-label="This host">
      <h2>This host {doctor.ready ? <span class="badge ok">ready</span> : <span class="badge bad">not ready</span>}</h2>
      {bad.length > 0 && <Table label="What is missing on this host" head={["What", "Found", "What is lost"]} rows={bad.map((row) => [row.name, row.found, row.lost])} />}
      <details>
        <summary>{plural(doctor.rows.length - bad.length, "thing")} looked at and found good</summary>
        <Table label="What this host offers" head={["What", "Found"]} rows={doctor.rows.filter((row) => row.status === "ok").map((row) => [row.name, row.found])} />
      </details>
    </section>
  );
}
