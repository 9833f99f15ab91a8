/** One row of two texts side by side; undefined where a side has no such line. */
export interface Row {
  left: string | undefined;
  right: string | undefined;
}

/** Beyond that lines are set beside each other by their number alone. */
const mostCells = 4_000_000;

/** Two texts line by line, with the longest common part beside itself. */
export function sideBySide(left: string, right: string): Row[] {
  const a = linesOf(left);
  const b = linesOf(right);
  let begin = 0;
  while (begin < a.length && begin < b.length && a[begin] === b[begin]) begin++;
  let end = 0;
  while (end < a.length - begin && end < b.length - begin && a[a.length - 1 - end] === b[b.length - 1 - end]) end++;
  const same = (from: number, to: number): Row[] => a.slice(from, to).map((line) => ({ left: line, right: line }));
  return [...same(0, begin), ...middle(a.slice(begin, a.length - end), b.slice(begin, b.length - end)), ...same(a.length - end, a.length)];
}

/** Behind the end of the last line is no line. */
function linesOf(text: string): string[] {
  if (text === "") return [];
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines;
}

function middle(a: string[], b: string[]): Row[] {
  if ((a.length + 1) * (b.length + 1) > mostCells) return pairs(a, b);
  // longest[i][j]: of a from i and b from j.
  const width = b.length + 1;
  const longest = new Uint32Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      longest[i * width + j] = a[i] === b[j] ? (longest[(i + 1) * width + j + 1] ?? 0) + 1 : Math.max(longest[(i + 1) * width + j] ?? 0, longest[i * width + j + 1] ?? 0);
    }
  }
  const rows: Row[] = [];
  let onlyA: string[] = [];
  let onlyB: string[] = [];
  const flush = () => {
    rows.push(...pairs(onlyA, onlyB));
    onlyA = [];
    onlyB = [];
  };
  let i = 0;
  let j = 0;
  while (i < a.length && j < b.length) {
    if (a[i] === b[j]) {
      flush();
      rows.push({ left: a[i++], right: b[j++] });
    } else if ((longest[(i + 1) * width + j] ?? 0) >= (longest[i * width + j + 1] ?? 0)) {
      onlyA.push(a[i++] ?? "");
    } else {
      onlyB.push(b[j++] ?? "");
    }
  }
  onlyA.push(...a.slice(i));
  onlyB.push(...b.slice(j));
  flush();
  return rows;
}

const pairs = (a: string[], b: string[]): Row[] => Array.from({ length: Math.max(a.length, b.length) }, (_, i) => ({ left: a[i], right: b[i] }));

/** Where two lines differ: what is before it and what is behind it is the same. */
export function apart(a: string, b: string): { before: number; behind: number } {
  const most = Math.min(a.length, b.length);
  let before = 0;
  while (before < most && a[before] === b[before]) before++;
  let behind = 0;
  while (behind < most - before && a[a.length - 1 - behind] === b[b.length - 1 - behind]) behind++;
  return { before, behind };
}
