import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import type { LimitResult } from "../../clients/typescript/src/index.js";
import { bytes, round } from "./format.js";
import type { Sample, Used } from "./run.js";
import { axis, colour } from "./plot.js";
import { dark } from "./theme.js";

interface Series {
  name: string;
  colour: string;
  of: (u: Used, before: Sample | undefined, at: number) => number;
}

interface Chart {
  title: string;
  series: Series[];
  text: (n: number) => string;
  limit?: string;
}

/** The share of a processor between two samples. */
const rate = (ns: (u: Used) => number) => (u: Used, before: Sample | undefined, at: number) => {
  const passed = at - (before?.at ?? 0);
  return passed <= 0 ? 0 : Math.max(0, (ns(u) - (before === undefined ? 0 : ns(before.usage))) / 1e6 / passed);
};

/** What is not counted on this host is nothing to draw. */
function counted(n: (u: Used) => number) {
  return (u: Used, before: Sample | undefined, at: number) => {
    const passed = at - (before?.at ?? 0);
    return n(u) < 0 ? NaN : passed <= 0 ? 0 : Math.max(0, ((n(u) - (before === undefined ? 0 : n(before.usage))) / passed) * 1000);
  };
}

const charts: Chart[] = [
  { title: "Processors", text: (n) => round(n), limit: "cpus", series: [{ name: "all", colour: "--chart-1", of: rate((u) => u.cpu_ns) }, { name: "kernel", colour: "--chart-2", of: rate((u) => u.system_ns) }] },
  { title: "Memory", text: bytes, limit: "memory_bytes", series: [{ name: "peak", colour: "--chart-1", of: (u) => u.memory_peak_bytes }, { name: "now", colour: "--chart-2", of: (u) => u.memory_bytes ?? NaN }] },
  { title: "Processes", text: (n) => round(n), limit: "pids", series: [{ name: "peak", colour: "--chart-1", of: (u) => u.pids_peak }, { name: "now", colour: "--chart-2", of: (u) => u.pids ?? NaN }] },
  { title: "Disks, a second", text: bytes, series: [{ name: "read", colour: "--chart-1", of: counted((u) => u.io_read_bytes) }, { name: "written", colour: "--chart-2", of: counted((u) => u.io_write_bytes) }] },
];

export function Charts({ samples, limits }: { samples: Sample[]; limits: Record<string, LimitResult> }) {
  return (
    <div class="charts">
      {charts.filter((chart) => data(chart, samples).series.length > 0).map((chart) => (
        <Plot key={chart.title} chart={chart} samples={samples} limit={limits[chart.limit ?? ""]?.value} />
      ))}
    </div>
  );
}

/** Steps of an axis of bytes. */
const binary = Array.from({ length: 40 }, (_, n) => 2 ** n);

/** The columns of a chart; a series that nothing is known of is left out. */
function data(chart: Chart, told: Sample[]): { rows: uPlot.AlignedData; series: Series[] } {
  const first = told[0];
  const nothing = first === undefined ? [] : [{ at: 0, usage: { ...first.usage, cpu_ns: 0, user_ns: 0, system_ns: 0, memory_peak_bytes: 0, io_read_bytes: Math.min(0, first.usage.io_read_bytes), io_write_bytes: Math.min(0, first.usage.io_write_bytes), pids_peak: Math.min(first.usage.pids_peak, 1) } }];
  const samples = [...nothing, ...told];
  const all = chart.series.map((s) => samples.map((sample, i) => s.of(sample.usage, samples[i - 1], sample.at)));
  const known = chart.series.map((_, i) => all[i]?.some((n) => n >= 0) === true);
  const columns = all.filter((_, i) => known[i]).map((column) => column.map((n) => (Number.isNaN(n) || n < 0 ? null : n)));
  return { rows: [samples.map((s) => s.at / 1000), ...columns] as uPlot.AlignedData, series: chart.series.filter((_, i) => known[i]) };
}

function Plot({ chart, samples, limit }: { chart: Chart; samples: Sample[]; limit: number | undefined }) {
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const { rows, series } = data(chart, samples);
  const names = series.map((s) => s.name).join();
  const bounds = useRef(limit);
  bounds.current = limit;
  useEffect(() => {
    const at = host.current;
    if (at === null) return;
    plot.current = new uPlot(options(chart, series, at.clientWidth, bounds), rows, at);
    const sized = new ResizeObserver(() => plot.current?.setSize({ width: at.clientWidth, height: 120 }));
    sized.observe(at);
    return () => {
      sized.disconnect();
      plot.current?.destroy();
    };
  }, [dark.value, names]);
  useEffect(() => plot.current?.setData(rows), [samples, limit]);
  const peak = Math.max(0, ...rows.slice(1).flatMap((column) => [...(column as (number | null)[])].map((n) => n ?? 0)));
  return (
    <figure>
      <figcaption>
        <span>
          {chart.title} <span class="small">{limit !== undefined && `of ${chart.text(limit)}`}</span>
        </span>
        <span class="small">
          {series.map((s) => (
            <span key={s.name} class="key">
              <i style={{ backgroundColor: `var(${s.colour})` }} aria-hidden="true" />
              {s.name}
            </span>
          ))}
        </span>
      </figcaption>
      <div ref={host} class="plot" role="img" aria-label={`${chart.title} over time, up to ${chart.text(peak)}${limit === undefined ? "" : ` of ${chart.text(limit)}`}`} />
    </figure>
  );
}

function options(chart: Chart, series: Series[], width: number, limit: { current: number | undefined }): uPlot.Options {
  return {
    width: Math.max(width, 100),
    height: 120,
    legend: { show: false },
    cursor: { show: false },
    scales: {
      x: { time: false },
      // The limit is in the picture once half of it is used.
      y: { range: (_, __, most) => [0, limit.current !== undefined && most > limit.current / 2 ? Math.max(most, limit.current) * 1.05 : most * 1.2 || 1] },
    },
    axes: [{ ...axis(), size: 22, values: (_, at) => at.map((n) => round(n) + " s") }, { ...axis(), size: chart.text === bytes ? 58 : 30, space: 28, values: (_, at) => at.map((n) => chart.text(n)), ...(chart.text === bytes ? { incrs: binary } : {}) }],
    series: [{}, ...series.map((s, i) => ({ stroke: colour(s.colour), width: 1.5, points: { show: false }, spanGaps: true, ...(i === 0 ? { fill: colour(s.colour).replace("rgb", "rgba").replace(")", ", 0.13)") } : {}) }))],
    hooks: {
      draw: [
        (u) => {
          if (limit.current === undefined) return;
          const y = u.valToPos(limit.current, "y", true);
          if (y < u.bbox.top) return;
          u.ctx.save();
          u.ctx.strokeStyle = colour("--bad");
          u.ctx.setLineDash([4 * devicePixelRatio, 3 * devicePixelRatio]);
          u.ctx.lineWidth = devicePixelRatio;
          u.ctx.beginPath();
          u.ctx.moveTo(u.bbox.left, y);
          u.ctx.lineTo(u.bbox.left + u.bbox.width, y);
          u.ctx.stroke();
          u.ctx.restore();
        },
      ],
    },
  };
}
