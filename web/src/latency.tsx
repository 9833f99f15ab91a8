import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import type { MinuteStatus } from "../../clients/typescript/src/index.js";
import { nanoseconds } from "./format.js";
import { axis, colour } from "./plot.js";
import { dark } from "./theme.js";

const height = 130;

/** How long jobs took, by minutes. */
export function Latency({ minutes }: { minutes: MinuteStatus[] }) {
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const rows: uPlot.AlignedData = [minutes.map((m) => Date.parse(m.at) / 1000), minutes.map((m) => m.total_ns.p50), minutes.map((m) => m.total_ns.p99)];
  useEffect(() => {
    const at = host.current;
    if (at === null) return;
    const line = (name: string): uPlot.Series => ({ stroke: colour(name), width: 1.5, points: { size: 4 } });
    plot.current = new uPlot({
      width: at.clientWidth, height, legend: { show: false }, cursor: { show: false },
      scales: { y: { distr: 3 } },
      axes: [{ ...axis(), size: 24, space: 70, incrs: [1, 5, 10, 15, 30, 60].map((n) => n * 60), values: (_, all) => all.map((n) => new Date(n * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })) }, { ...axis(), size: 62, values: (_, all) => all.map((n) => (n === null ? "" : nanoseconds(n))) }],
      series: [{}, line("--chart-1"), line("--chart-2")],
    }, rows, at);
    const sized = new ResizeObserver(() => plot.current?.setSize({ width: at.clientWidth, height }));
    sized.observe(at);
    return () => {
      sized.disconnect();
      plot.current?.destroy();
    };
  }, [dark.value]);
  useEffect(() => plot.current?.setData(rows), [minutes]);
  return (
    <figure>
      <figcaption class="small">
        <span class="key"><i style={{ backgroundColor: "var(--chart-1)" }} aria-hidden="true" />half of the jobs within</span>{" "}
        <span class="key"><i style={{ backgroundColor: "var(--chart-2)" }} aria-hidden="true" />99 % within</span>
      </figcaption>
      <div ref={host} class="plot" role="img" aria-label="How long jobs took, by minutes; the table above has the figures" />
    </figure>
  );
}
