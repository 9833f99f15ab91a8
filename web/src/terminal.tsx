import { FitAddon } from "@xterm/addon-fit";
import { Terminal, type ITheme } from "@xterm/xterm";
import "@xterm/xterm/css/xterm.css";
import { useEffect, useRef } from "preact/hooks";
import { ProblemError, type JobRequest, type JobStatus, type UsageSample } from "../../clients/typescript/src/index.js";
import { begin, failed, run, sampled, since, told, update } from "./run.js";
import { client, token } from "./session.js";
import { constructed, spansByProperties, withConstructed } from "./sheets.js";

spansByProperties();

/** A job with a terminal, from its start to its end. */
export function Session({ job }: { job: JobRequest }) {
  const host = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const at = host.current;
    if (at === null) return;
    const terminal = new Terminal({ documentOverride: constructed(document), fontFamily: "ui-monospace, SFMono-Regular, Menlo, Consolas, monospace", fontSize: 13, scrollback: 5000, theme, screenReaderMode: true, allowProposedApi: false, cursorBlink: true });
    const fit = new FitAddon();
    terminal.loadAddon(fit);
    withConstructed(document, () => terminal.open(at));
    fit.fit();
    terminal.focus();
    // Every other key is the program's, Tab and Escape among them.
    terminal.attachCustomKeyEventHandler((event) => {
      if (event.type !== "keydown" || !event.ctrlKey || event.key !== "]") return true;
      event.preventDefault();
      document.getElementById("tab-right-terminal")?.focus();
      return false;
    });
    const session = new Attached(terminal);
    void session.begin(job);
    const sized = new ResizeObserver(() => at.clientHeight > 0 && fit.fit()); // it is hidden while another tab is shown
    sized.observe(at);
    return () => {
      sized.disconnect();
      session.leave();
      terminal.dispose();
    };
  }, []);
  return <div class="screen" ref={host} />;
}

/** A terminal is dark in both sets of colours: programs choose theirs for that. */
const theme: ITheme = { background: "#11151b", foreground: "#dde3ec", cursor: "#dde3ec", selectionBackground: "#34507a", blue: "#5c9cf5", red: "#ff7b72", green: "#56cc96", brightBlack: "#98a5b6" };

/** The messages of cordon.attach.v1. */
class Attached {
  private socket: WebSocket | undefined;
  private signal: AbortSignal | undefined;
  private left = false;

  constructor(private readonly terminal: Terminal) {}

  async begin(job: JobRequest): Promise<void> {
    const { rows, cols } = this.terminal;
    const asked: JobRequest = { ...job, interactive: { tty: true, rows, cols } };
    this.signal = begin("terminal", asked);
    try {
      const { id } = await client().submit(asked, { signal: this.signal });
      update({ id, phase: "queued" });
      if (!this.left) this.attach(id);
    } catch (error) {
      if (this.signal.aborted) return;
      if (error instanceof ProblemError && error.code === "not_found") failed(new Error("This service has no queue, and terminals are for its jobs alone."));
      else failed(error);
    }
  }

  private attach(id: string): void {
    const url = new URL(`/v1/jobs/${id}/attach?usage_ms=200`, location.href);
    url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    let socket: WebSocket;
    try {
      socket = new WebSocket(url, ["cordon.attach.v1", "bearer." + token.value]);
    } catch {
      failed(new Error("This token has characters that a browser cannot send here; a key of a tenant, or cordon token --link, has none."));
      return;
    }
    this.socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onmessage = (event) => {
      if (this.signal?.aborted) return;
      if (event.data instanceof ArrayBuffer) this.printed(new Uint8Array(event.data));
      else this.said(JSON.parse(event.data as string));
    };
    socket.onclose = (event) => {
      if (!this.left && !this.signal?.aborted && run.value?.phase !== "ended") failed(new Error(event.reason || "The connection to the terminal has ended."));
    };
    socket.onopen = () => {
      this.terminal.onData((text) => this.type(new TextEncoder().encode(text)));
      this.terminal.onBinary((text) => this.type(Uint8Array.from(text, (c) => c.charCodeAt(0))));
      this.terminal.onResize(({ rows, cols }) => this.send(JSON.stringify({ type: "resize", rows, cols })));
    };
  }

  private printed(message: Uint8Array): void {
    const data = message.slice(1);
    this.terminal.write(data);
    run.value?.output.add(message[0] === 2 ? "stderr" : "stdout", data, since());
  }

  private said(message: { type: string; job?: JobStatus; usage?: UsageSample; detail?: string }): void {
    if (message.job !== undefined) told(message.job);
    if (message.type === "usage" && message.usage !== undefined) sampled(message.usage);
    if (message.type === "error") update({ note: message.detail ?? "" });
    if (message.type === "result") this.terminal.write("\r\n\x1b[2m— the program has ended —\x1b[0m\r\n");
  }

  /** A message has 64 KiB at most. */
  private type(data: Uint8Array): void {
    for (let at = 0; at < data.length; at += 65536) {
      const part = data.subarray(at, at + 65536);
      const message = new Uint8Array(part.length + 1);
      message.set(part, 1);
      this.send(message);
    }
  }

  private send(message: string | Uint8Array<ArrayBuffer>): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(message);
  }

  leave(): void {
    this.left = true;
    this.socket?.close();
  }
}
