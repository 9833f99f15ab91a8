import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { CSSProperties } from "preact";
import type { Style } from "./ansi.js";
import { bytes, moment, plural } from "./format.js";
import { Icon } from "./icons.js";
import { hidden, type Line, type Output, type Stream } from "./output.js";
import { run } from "./run.js";

export const lineHeight = 20;
const beyond = 20;

/** What was printed. Only the lines that can be seen are there. */
export function OutputView() {
  const r = run.value;
  const [times, setTimes] = useState(false);
  if (r === undefined) return <p class="empty">What the program prints comes here, while it runs.</p>;
  const build = r.result?.build;
  const messages = build === undefined ? "" : build.stderr + build.stdout;
  return (
    <>
      {messages !== "" && (
        <details class="build" open={r.result?.verdict === "build_failed"}>
          <summary>Messages of the build</summary>
          <pre tabIndex={0}>{messages}</pre>
        </details>
      )}
      <Lines output={r.output} times={times} ended={r.phase === "ended"} />
      <Foot output={r.output} times={times} setTimes={setTimes} />
    </>
  );
}

function Foot({ output, times, setTimes }: { output: Output; times: boolean; setTimes: (on: boolean) => void }) {
  void output.version.value;
  return (
    <div class="foot">
      <span>
        {plural(output.lines.length + output.dropped, "line")}, {bytes(output.total())}
        {output.dropped > 0 && `; the first ${output.dropped.toLocaleString("en")} are only in the download`}
      </span>
      <span class="gap" />
      <button type="button" class="link" aria-pressed={times} onClick={() => setTimes(!times)}>
        <Icon name="clock" /> Times
      </button>
      {(["stdout", "stderr"] as const).map((stream) => output.total(stream) > 0 && (
        <button key={stream} type="button" class="link" onClick={() => save(output, stream)}>
          <Icon name="download" /> {stream}
        </button>
      ))}
    </div>
  );
}

function save(output: Output, stream: Stream): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(output.download(stream));
  link.download = stream + ".txt";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

function Lines({ output, times, ended }: { output: Output; times: boolean; ended: boolean }) {
  void output.version.value;
  const box = useRef<HTMLDivElement>(null);
  const follows = useRef(true);
  const [view, setView] = useState({ top: 0, height: 600 });
  useEffect(() => {
    const at = box.current;
    if (at === null) return;
    const see = () => {
      if (follows.current) at.scrollTop = at.scrollHeight; // the verdict takes room from it
      setView({ top: at.scrollTop, height: at.clientHeight });
    };
    const sized = new ResizeObserver(see);
    sized.observe(at);
    return () => sized.disconnect();
  }, []);
  useLayoutEffect(() => {
    follows.current = true;
  }, [output]);
  const count = output.lines.length;
  useLayoutEffect(() => {
    if (follows.current && box.current !== null) box.current.scrollTop = box.current.scrollHeight;
  }, [count]);
  const scrolled = () => {
    const at = box.current;
    if (at === null) return;
    follows.current = at.scrollTop + at.clientHeight >= at.scrollHeight - lineHeight * 2;
    setView({ top: at.scrollTop, height: at.clientHeight });
  };
  const from = Math.max(0, Math.floor(view.top / lineHeight) - beyond);
  const to = Math.min(count, Math.ceil((view.top + view.height) / lineHeight) + beyond);
  return (
    <div class={times ? "lines times" : "lines"} ref={box} onScroll={scrolled} role="log" aria-live="off" aria-label="Output of the program" tabIndex={0}>
      {count === 0 && ended && <p class="empty">{run.value?.refused !== undefined ? "It was not run." : "It printed nothing."}</p>}
      <div class="all" style={{ height: `${count * lineHeight}px` }}>
        <div class="some" style={{ transform: `translateY(${from * lineHeight}px)` }}>
          {output.lines.slice(from, to).map((line, i) => (
            <LineView key={output.dropped + from + i} line={line} />
          ))}
        </div>
      </div>
    </div>
  );
}

function LineView({ line }: { line: Line }) {
  const more = hidden(line);
  const at = line.at === undefined ? "" : moment(line.at);
  return (
    <div class={`line ${line.stream}`} title={at ? `${line.stream}, ${at} after the start` : line.stream}>
      <span class="at" aria-hidden="true">{at}</span>
      <span class="text">
        {line.pieces.map((piece, i) => (Object.keys(piece.style).length === 0 ? piece.text : <span key={i} style={css(piece.style)}>{piece.text}</span>))}
        {more > 0 && <em> … {plural(more, "letter")} more in the download</em>}
      </span>
    </div>
  );
}

function css(s: Style): CSSProperties {
  const fore = s.inverse ? (s.back ?? "var(--panel)") : s.fore;
  const back = s.inverse ? (s.fore ?? "var(--text)") : s.back;
  const out: CSSProperties = {};
  if (fore) out.color = fore;
  if (back) out.backgroundColor = back;
  if (s.bold) out.fontWeight = "bold";
  if (s.dim) out.opacity = "0.75";
  if (s.italic) out.fontStyle = "italic";
  const lines = [s.underline && "underline", s.strike && "line-through"].filter(Boolean).join(" ");
  if (lines) out.textDecoration = lines;
  return out;
}
