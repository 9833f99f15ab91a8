import "uplot/dist/uPlot.min.css";
import type uPlot from "uplot";

/** A colour as a canvas understands it. */
export function colour(name: string): string {
  const probe = document.createElement("i");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

export const axis = (): uPlot.Axis => ({ stroke: colour("--muted"), font: "11px system-ui", grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } });
