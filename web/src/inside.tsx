import type { Inside, View } from "../../clients/typescript/src/index.js";
import { draft } from "./draft.js";
import { bytes } from "./format.js";
import { Icon } from "./icons.js";
import { ruleOf } from "./limits.js";
import { go } from "./playground.js";
import { busy, run } from "./run.js";
import { policies } from "./session.js";
import { Table } from "./table.js";

/** The cell of a run, as the program saw it and as the host saw it. */
export function InsideView() {
  const inside = run.value?.result?.inside;
  const policy = policies.value.find((p) => p.name === draft.value.policy);
  const rule = ruleOf(policy, "inspect");
  if (rule?.max === "false" || (rule !== undefined && rule.max === undefined && rule.default === "false")) return <p class="empty">The policy {draft.value.policy} does not let jobs look: {rule?.reason}</p>;
  return (
    <div class="inside-view">
      <div class="row">
        <button type="button" class="primary" onClick={go} disabled={busy(run.value)}>
          <Icon name="play" /> Run and look inside
        </button>
        <span class="small">What the program's process could see of itself when it was about to start, next to what the service saw of it from outside.</span>
      </div>
      {inside !== undefined && <Report inside={inside} isolation={run.value?.result?.isolation ?? ""} />}
    </div>
  );
}

interface Claim {
  holds: boolean;
  text: string;
}

/** What is promised, checked against both views. */
function claims({ host, job, seccomp }: Inside, isolation: string): Claim[] {
  const sets = Object.values(host.capabilities).concat(Object.values(job.capabilities));
  const own = host.namespaces.filter((n) => n.shared === false).map((n) => n.kind);
  const same = host.namespaces.every((n) => job.namespaces.find((one) => one.kind === n.kind)?.id === n.id);
  const hosts = host.uid_map.map((range) => range.host).filter((id) => id !== undefined);
  const writable = [...new Set(job.mounts.filter((m) => m.options.includes("rw") && m.type !== "proc").map((m) => m.point))];
  return [
    { holds: own.length === 7 && host.namespaces.length === 7, text: `It has namespaces of its own, all seven: ${own.join(", ")}.` },
    { holds: same, text: "The namespaces that it sees are those that the host sees, by their numbers." },
    { holds: isolation === "subuid" && hosts.length > 0 && hosts.every((id) => id > 0), text: `On the host its user ids are ${hosts.join(" and ") || "not known"}: subordinate ones, which no other job that runs has, and no user of the machine.` },
    { holds: sets.every((set) => set.length === 0), text: "It has no capability, in any of the five sets." },
    { holds: host.no_new_privs && job.no_new_privs, text: "It cannot get new privileges by executing anything (no_new_privs)." },
    { holds: host.seccomp === "filter" && job.seccomp === "filter", text: `It is under a filter of system calls: ${seccomp.allowed + seccomp.conditional} are allowed, ${seccomp.conditional} of them with some arguments alone; ${seccomp.denied} are denied and counted.` },
    { holds: job.interfaces.every((name) => name === "lo"), text: `Its only network interface is ${job.interfaces.join(", ") || "none"}.` },
    { holds: writable.every((point) => ["/work", "/tmp", "/dev/shm"].some((at) => point === at || point.startsWith(at + "/"))), text: `It can write to ${writable.join(", ") || "nothing"}, and nowhere else.` },
  ];
}

function Report({ inside, isolation }: { inside: Inside; isolation: string }) {
  const { host, job } = inside;
  return (
    <>
      <ul class="claims" aria-label="What is promised">
        {claims(inside, isolation).map((claim) => (
          <li key={claim.text}>
            <span class={`sign ${claim.holds ? "agrees" : "differs-here"}`} role="img" aria-label={claim.holds ? "holds" : "does not hold"}>
              {claim.holds ? "✓" : "✗"}
            </span>
            <span>{claim.text}</span>
          </li>
        ))}
      </ul>
      <Both title="Identity" rows={[["user ids", ids(job.uids), ids(onHost(host.uids, host.uid_map))], ["group ids", ids(job.gids), ids(onHost(host.gids, host.gid_map))], ["further groups", ids(job.groups), ids(host.groups)], ["user ids, mapped", map(job.uid_map), map(host.uid_map)], ["group ids, mapped", map(job.gid_map), map(host.gid_map)]]} />
      <Both title="Namespaces" same rows={host.namespaces.map((n) => [n.kind, idOf(job, n.kind), `${n.id}${n.shared === false ? ", its own" : n.shared ? ", shared with the service" : ""}`])} />
      <Both title="Rights" same rows={[...Object.keys(host.capabilities).map((set): Row => [`capabilities, ${set}`, list(job.capabilities[set]), list(host.capabilities[set])]), ["no_new_privs", yes(job.no_new_privs), yes(host.no_new_privs)], ["seccomp", filters(job), filters(host)], ["network interfaces", list(job.interfaces), list(host.interfaces)]]} />
      <h2>Limits of its group, read back from the kernel</h2>
      <Table label="Limits of its group" head={["File", "Value"]} rows={inside.cgroup.map((held) => [held.file, /bytes|memory/.test(held.file) && Number(held.value) > 0 ? `${held.value} (${bytes(Number(held.value))})` : held.value])} />
      <p class="small">
        Filter <code>{inside.seccomp.profile}</code> for {inside.seccomp.arch}, {inside.seccomp.instructions} instructions, digest <code>{inside.seccomp.digest}</code>: {inside.seccomp.answered} calls are answered with an errno by the kernel at once.
      </p>
      <details>
        <summary>Mounts: {job.mounts.length} that it sees, {host.mounts.length} that the host sees</summary>
        <Table label="Mounts" head={["Where", "Type", "How"]} rows={job.mounts.map((m) => [m.point, m.type, m.options.join(" ")])} />
      </details>
      <details>
        <summary>Limits of the process (rlimits)</summary>
        <Both title="" same rows={host.rlimits.map((r) => [r.name, limit(job, r.name), `${bound(r.soft)} / ${bound(r.hard)}`])} />
      </details>
    </>
  );
}

type Row = [string, string, string];

const ids = (all: number[]): string => [...new Set(all)].join(", ") || "none";
/** Ids as the whole machine knows them, where the service has them in its own namespace. */
const onHost = (all: number[], ranges: View["uid_map"]): number[] => all.map((id) => {
  const range = ranges.find((r) => id >= r.outside && id < r.outside + r.count);
  return range?.host === undefined ? id : range.host + id - range.outside;
});
const list = (all: string[] | undefined): string => (all === undefined ? "not told" : all.join(", ") || "none");
const yes = (on: boolean): string => (on ? "yes" : "no");
const bound = (n: number): string => (n < 0 ? "unlimited" : String(n));
const filters = (v: View): string => v.seccomp + (v.seccomp_filters > 0 ? `, ${v.seccomp_filters}` : "");
const idOf = (v: View, kind: string): string => String(v.namespaces.find((n) => n.kind === kind)?.id ?? "not told");
const map = (ranges: View["uid_map"]): string => ranges.map((r) => `${r.inside} is ${r.host === undefined ? r.outside : `${r.host} of the machine`}${r.count > 1 ? ` and ${r.count - 1} more` : ""}`).join("; ");
const limit = (v: View, name: string): string => {
  const r = v.rlimits.find((one) => one.name === name);
  return r === undefined ? "not told" : `${bound(r.soft)} / ${bound(r.hard)}`;
};

/** Both views side by side; same: where they differ that is said. */
function Both({ title, rows, same }: { title: string; rows: Row[]; same?: boolean }) {
  const label = title || "Limits of the process";
  return (
    <>
      {title && <h2>{title}</h2>}
      <Table label={label} head={["", "As the program saw it", "As the host saw it"]} rows={rows.map(([name, job, host]) => [name, job, same && !host.startsWith(job) ? <span key="h" class="differs-here">{host}</span> : host])} />
    </>
  );
}
