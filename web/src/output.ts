import { signal } from "@preact/signals";
import { Ansi, type Piece } from "./ansi.js";

export type Stream = "stdout" | "stderr";

export interface Line {
  stream: Stream;
  /** Milliseconds since the program's start; undefined where only the end was told. */
  at: number | undefined;
  pieces: Piece[];
  length: number;
  /** Nothing more comes to it. */
  ended: boolean;
}

/** Lines that are shown, and letters of one. All the rest is in the download. */
const mostLines = 50_000;
const widest = 4_000;
/** Bytes that are kept for the download. */
const mostBytes = 64 << 20;

/** What a job prints, in the order in which it came. */
export class Output {
  lines: Line[] = [];
  /** Lines at the beginning that are not kept any more. */
  dropped = 0;
  /** Counts changes. */
  readonly version = signal(0);
  private bytes: Record<Stream, Uint8Array[]> = { stdout: [], stderr: [] };
  private size = 0;
  private ansi = { stdout: new Ansi(), stderr: new Ansi() };
  private decoders = { stdout: new TextDecoder(), stderr: new TextDecoder() };
  private pending = false;

  add(stream: Stream, data: Uint8Array, at: number | undefined): void {
    if (this.size < mostBytes) this.bytes[stream].push(data);
    this.size += data.length;
    const text = this.decoders[stream].decode(data, { stream: true });
    for (const piece of this.ansi[stream].read(text)) this.write(stream, piece, at);
    if (this.lines.length > mostLines) {
      const extra = this.lines.length - mostLines;
      this.lines.splice(0, extra);
      this.dropped += extra;
    }
    this.changed();
  }

  /** How much has come, of both streams or of one. */
  total(stream?: Stream): number {
    return stream === undefined ? this.size : this.bytes[stream].reduce((sum, part) => sum + part.length, 0);
  }

  download(stream: Stream): Blob {
    return new Blob(this.bytes[stream] as BlobPart[], { type: "text/plain" });
  }

  text(stream: Stream): string {
    const decoder = new TextDecoder();
    return this.bytes[stream].map((part) => decoder.decode(part, { stream: true })).join("") + decoder.decode();
  }

  /** Tells those who show it, once for all that has come until the next picture. */
  private changed(): void {
    if (this.pending) return;
    this.pending = true;
    requestAnimationFrame(() => {
      this.pending = false;
      this.version.value++;
    });
  }

  private write(stream: Stream, piece: Piece, at: number | undefined): void {
    const parts = piece.text.split("\n");
    parts.forEach((part, i) => {
      if (part !== "") this.append(this.open(stream, at), part, piece);
      if (i < parts.length - 1) this.open(stream, at).ended = true;
    });
  }

  /** The line on which a stream goes on: another one's line in between ends it. */
  private open(stream: Stream, at: number | undefined): Line {
    const last = this.lines.at(-1);
    if (last !== undefined && !last.ended && last.stream === stream) return last;
    if (last !== undefined) last.ended = true;
    const line: Line = { stream, at, pieces: [], length: 0, ended: false };
    this.lines.push(line);
    return line;
  }

  private append(line: Line, text: string, piece: Piece): void {
    const back = text.replace(/\r+$/, "").lastIndexOf("\r");
    if (back >= 0) { // what came before is overwritten, as by a bar of progress
      line.pieces = [];
      line.length = 0;
      text = text.slice(back + 1);
    }
    text = text.replace(/[\0-\x08\x0b-\x1f\x7f]/g, (c) => (c === "\r" ? "" : String.fromCharCode(0x2400 + (c === "\x7f" ? 0x21 : c.charCodeAt(0)))));
    const room = widest - line.length;
    if (room > 0 && text !== "") line.pieces.push({ ...piece, text: text.slice(0, room) });
    line.length += text.length;
  }
}

/** Letters of a line that are not shown. */
export const hidden = (line: Line): number => Math.max(0, line.length - widest);
