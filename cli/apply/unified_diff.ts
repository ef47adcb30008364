/** Lines around a change that are shown with it. */
const CONTEXT = 3;

interface Line {
  readonly sign: " " | "-" | "+";
  readonly text: string;
}

/** The difference between two texts as `diff -u` prints it; empty where they are the same. */
export function unifiedDiff(before: string, after: string, names: { readonly before: string; readonly after: string }): string {
  if (before === after) return "";
  const lines = compare(linesOf(before), linesOf(after));
  const out = [`--- ${names.before}`, `+++ ${names.after}`];
  let [oldLine, newLine] = [1, 1];
  let index = 0;
  while (index < lines.length) {
    const change = lines.findIndex(({ sign }, at) => at >= index && sign !== " ");
    if (change < 0) break;
    const start = Math.max(index, change - CONTEXT);
    oldLine += start - index;
    newLine += start - index;
    const end = hunkEnd(lines, change);
    const hunk = lines.slice(start, end);
    const [oldCount, newCount] = ["+", "-"].map((other) => hunk.filter(({ sign }) => sign !== other).length) as [number, number];
    out.push(`@@ -${range(oldLine, oldCount)} +${range(newLine, newCount)} @@`, ...hunk.map(({ sign, text }) => sign + text));
    oldLine += oldCount;
    newLine += newCount;
    index = end;
  }
  return `${out.join("\n")}\n`;
}

function linesOf(text: string): string[] {
  return text === "" ? [] : text.replace(/\n$/, "").split("\n");
}

/** Where the hunk of a change ends: before the first stretch without changes that is too long to be shown whole. */
function hunkEnd(lines: readonly Line[], change: number): number {
  let end = change;
  for (let at = change; at < lines.length && at - end <= 2 * CONTEXT; at++) {
    if (lines[at]!.sign !== " ") end = at + 1;
  }
  return Math.min(lines.length, end + CONTEXT);
}

/** An empty side is counted from the line before it. */
function range(line: number, count: number): string {
  return count === 1 ? String(line) : `${count === 0 ? line - 1 : line},${count}`;
}

/** The shortest way from one list of lines to the other (Myers 1986, "An O(ND) Difference Algorithm and Its Variations"). */
function compare(before: readonly string[], after: readonly string[]): Line[] {
  const trace: Map<number, number>[] = [];
  let reached = new Map<number, number>([[1, 0]]);
  for (let edits = 0;; edits++) {
    trace.push(new Map(reached));
    const next = new Map(reached);
    for (let diagonal = -edits; diagonal <= edits; diagonal += 2) {
      const down = diagonal === -edits || (diagonal !== edits && at(reached, diagonal - 1) < at(reached, diagonal + 1));
      let x = down ? at(reached, diagonal + 1) : at(reached, diagonal - 1) + 1;
      while (x < before.length && x - diagonal < after.length && before[x] === after[x - diagonal]) x++;
      next.set(diagonal, x);
      if (x >= before.length && x - diagonal >= after.length) return walkBack(trace, before, after);
    }
    reached = next;
  }
}

function at(reached: ReadonlyMap<number, number>, diagonal: number): number {
  return reached.get(diagonal) ?? -1;
}

function walkBack(trace: readonly ReadonlyMap<number, number>[], before: readonly string[], after: readonly string[]): Line[] {
  const lines: Line[] = [];
  let [x, y] = [before.length, after.length];
  for (let edits = trace.length - 1; edits >= 0; edits--) {
    const reached = trace[edits]!;
    const diagonal = x - y;
    const down = diagonal === -edits || (diagonal !== edits && at(reached, diagonal - 1) < at(reached, diagonal + 1));
    const fromDiagonal = down ? diagonal + 1 : diagonal - 1;
    const fromX = edits === 0 ? 0 : at(reached, fromDiagonal);
    const fromY = edits === 0 ? 0 : fromX - fromDiagonal;
    while (x > fromX && y > fromY && before[x - 1] === after[y - 1]) {
      lines.push({ sign: " ", text: before[--x]! });
      y--;
    }
    if (edits === 0) break;
    if (down) lines.push({ sign: "+", text: after[--y]! });
    else lines.push({ sign: "-", text: before[--x]! });
  }
  return lines.reverse();
}
