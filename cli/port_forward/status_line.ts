import { terminalLine } from "../command/terminal_text.ts";
import type { TrafficCounts } from "./traffic.ts";
import { timeOfDay } from "./traffic_line.ts";

/** What the status line says first, and since when. `why` is the error of the last attempt to connect to the cluster. */
export type StatusState =
  | { readonly is: "starting" | "forwarding"; readonly since: Date }
  | { readonly is: "lost"; readonly since: Date; readonly why: string };

/** ANSI color codes (ECMA-48, SGR). */
const COLORS = { green: 32, yellow: 33, red: 31 } as const;

/** A part of the line that has one color. */
type Part = readonly [text: string, color?: keyof typeof COLORS];

const SEPARATOR = " · ";

/** Renders the status as one line without a line end. @param style.width the columns that the line may use; it is cut to fit */
export function renderStatus(
  state: StatusState,
  counts: TrafficCounts,
  style: { readonly width: number; readonly color: boolean; readonly now: Date },
): string {
  let left = style.width;
  let line = "";
  const waiting: Part[] = counts.waiting === undefined ? [] : [[`${counts.waiting}${SEPARATOR}`, "yellow"]];
  for (const [part, color] of [...waiting, stateOf(state, style.now), ...(state.is === "starting" ? [] : countsOf(counts))]) {
    const text = cut(terminalLine(part), left);
    left -= columns(text);
    line += style.color && color && text !== "" ? `\x1b[${COLORS[color]}m${text}\x1b[0m` : text;
    if (left <= 0) break;
  }
  return line;
}

function stateOf(state: StatusState, now: Date): Part {
  switch (state.is) {
    case "starting": {
      const seconds = Math.max(0, Math.floor((now.getTime() - state.since.getTime()) / 1000));
      return [`Starting kurun's Pod (${seconds} s)…`, "yellow"];
    }
    case "forwarding":
      return [`Forwarding since ${timeOfDay(state.since)}`, "green"];
    case "lost":
      return [`Connection lost since ${timeOfDay(state.since)} (${state.why})`, "red"];
  }
}

function countsOf({ open, connections, requests, errors, lastError }: TrafficCounts): Part[] {
  // Requests are known only with -v and for HTTP/1: otherwise kurun does not read the bytes.
  const total = requests === 0 ? plural(connections, "connection") : plural(requests, "request");
  const parts: Part[] = [[`${SEPARATOR}${open} open${SEPARATOR}${total}`]];
  if (errors > 0) parts.push([SEPARATOR], [plural(errors, "error"), "red"]);
  if (errors > 0 && lastError !== undefined) parts.push([`, the last: ${lastError}`]);
  return parts;
}

function plural(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
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

/** The columns a text takes. Everything from Hangul on counts as two, which is never too few for the texts of errors. */
function columns(text: string): number {
  let sum = 0;
  for (const character of text) sum += (character.codePointAt(0) as number) >= 0x1100 && !/[\u2000-\u206f]/.test(character) ? 2 : 1;
  return sum;
}
