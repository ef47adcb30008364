import type { TrafficCounts } from "./traffic.ts";

/** What the tunnel does, for people. */
export type StatusState =
  | { readonly is: "waiting" }
  /** Since when, as the time of day here. */
  | { readonly is: "forwarding"; readonly since: Date }
  /** Since when, and what the last try said. */
  | { readonly is: "lost"; readonly since: Date; readonly why: string };

/** A piece of the line, in one colour. */
interface Piece {
  readonly text: string;
  readonly color?: "green" | "yellow" | "red";
}

const COLORS = { green: 32, yellow: 33, red: 31 } as const;
const SEPARATOR = " · ";

/**
 * The status as one line that fits, without its end.
 * @param width columns that may be used
 * @param color whether escape codes for colours may be used
 */
export function renderStatus(state: StatusState, counts: TrafficCounts, width: number, color: boolean): string {
  let left = width;
  let line = "";
  for (const piece of pieces(state, counts)) {
    const text = cut(piece.text, left);
    left -= columns(text);
    line += color && piece.color && text !== "" ? `\x1b[${COLORS[piece.color]}m${text}\x1b[0m` : text;
    if (left <= 0) break;
  }
  return line;
}

function* pieces(state: StatusState, counts: TrafficCounts): Generator<Piece> {
  if (state.is === "waiting") yield { text: "Waiting", color: "yellow" };
  else if (state.is === "forwarding") yield { text: `Forwarding since ${timeOfDay(state.since)}`, color: "green" };
  else yield { text: `Connection lost since ${timeOfDay(state.since)}`, color: "red" };
  if (state.is === "lost") yield { text: ` (${printable(state.why)})` };
  yield { text: `${SEPARATOR}${counts.open} open` };
  // Without -v nobody reads the bytes: then connections are what can be counted.
  const { requests, connections } = counts;
  yield { text: SEPARATOR + (requests === undefined ? plural(connections, "connection") : plural(requests, "request")) };
  if (counts.errors === 0) return;
  yield { text: SEPARATOR };
  yield { text: plural(counts.errors, "error"), color: "red" };
  if (counts.lastError !== undefined) yield { text: `, the last: ${printable(counts.lastError)}` };
}

function plural(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

function timeOfDay(date: Date): string {
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map((part) => String(part).padStart(2, "0")).join(":");
}

function printable(text: string): string {
  return text.replace(/\p{Cc}+/gu, " ");
}

function cut(text: string, width: number): string {
  if (columns(text) <= width) return text;
  let shown = "";
  let used = 1;
  for (const character of text) {
    used += columns(character);
    if (used > width) break;
    shown += character;
  }
  return width > 0 ? `${shown}…` : "";
}

/** Columns that a text takes; from Hangul on everything counts as two, which is never too few for what error texts have. */
function columns(text: string): number {
  let sum = 0;
  for (const character of text) sum += (character.codePointAt(0) as number) >= 0x1100 && !/[\u2000-\u206f]/.test(character) ? 2 : 1;
  return sum;
}
