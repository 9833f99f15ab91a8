/** Text with colours, as programs ask for them (ECMA-48, SGR). Other escapes are left out. */

export interface Style {
  fore?: string;
  back?: string;
  bold?: boolean;
  dim?: boolean;
  italic?: boolean;
  underline?: boolean;
  inverse?: boolean;
  strike?: boolean;
}

export interface Piece {
  text: string;
  style: Style;
}

const plain: Style = {};

/** Reads a stream; an escape may be cut anywhere between two calls. */
export class Ansi {
  private style: Style = plain;
  private rest = "";

  read(text: string): Piece[] {
    text = this.rest + text;
    this.rest = "";
    const out: Piece[] = [];
    for (let at = 0; at < text.length; ) {
      const escape = text.indexOf("\x1b", at);
      if (escape !== at) {
        out.push({ text: text.slice(at, escape < 0 ? undefined : escape), style: this.style });
        if (escape < 0) break;
      }
      const behind = text.slice(escape);
      const found = /^\x1b(?:\[([0-?]*)[ -/]*([@-~])|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()*+][0-9A-Za-z]|[^[\]()*+])/.exec(behind);
      if (found === null) {
        if (behind.length < 256) this.rest = behind; // the end of it is still to come
        else out.push({ text: behind, style: this.style });
        break;
      }
      if (found[2] === "m") this.select((found[1] ?? "").split(/[;:]/).map(Number));
      at = escape + found[0].length;
    }
    return out;
  }

  private select(codes: number[]): void {
    let next: Style = { ...this.style };
    for (let i = 0; i < codes.length; i++) {
      const code = codes[i] ?? 0;
      if (code === 0) next = {};
      else if (code === 1) next.bold = true;
      else if (code === 2) next.dim = true;
      else if (code === 3) next.italic = true;
      else if (code === 4) next.underline = true;
      else if (code === 7) next.inverse = true;
      else if (code === 9) next.strike = true;
      else if (code === 22) delete next.bold, delete next.dim;
      else if (code === 23) delete next.italic;
      else if (code === 24) delete next.underline;
      else if (code === 27) delete next.inverse;
      else if (code === 29) delete next.strike;
      else if (code >= 30 && code <= 37) next.fore = named(code - 30);
      else if (code >= 90 && code <= 97) next.fore = named(code - 82);
      else if (code >= 40 && code <= 47) next.back = named(code - 40);
      else if (code >= 100 && code <= 107) next.back = named(code - 92);
      else if (code === 39) delete next.fore;
      else if (code === 49) delete next.back;
      else if (code === 38 || code === 48) {
        const [colour, taken] = extended(codes.slice(i + 1));
        if (colour !== undefined) next[code === 38 ? "fore" : "back"] = colour;
        i += taken;
      }
    }
    this.style = next;
  }
}

const named = (n: number): string => `var(--ansi-${n})`;

function extended(codes: number[]): [string | undefined, number] {
  if (codes[0] === 5) return [palette(codes[1] ?? 0), 2];
  if (codes[0] === 2) return [`rgb(${codes.slice(1, 4).map((n) => Math.min(255, n || 0)).join(" ")})`, 4];
  return [undefined, 0];
}

function palette(n: number): string {
  if (n < 16) return named(n);
  if (n >= 232) return `rgb(${Array(3).fill(Math.min(n, 255) * 10 - 2312).join(" ")})`;
  const part = (of: number) => (of === 0 ? 0 : of * 40 + 55);
  return `rgb(${[Math.floor((n - 16) / 36), Math.floor((n - 16) / 6) % 6, (n - 16) % 6].map(part).join(" ")})`;
}
