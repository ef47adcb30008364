import { terminalLine } from "../command/terminal_text.ts";
import type { TrafficCounts } from "./traffic.ts";
import { timeOfDay } from "./traffic_line.ts";

/** What the status line says first. */
export type StatusState =
  /** kurun's Pod is being started, since when. */
  | { readonly is: "starting"; readonly since: Date }
  | { readonly is: "forwarding"; readonly since: Date }
  /** The connection to the cluster is lost. `why` is the error of the last attempt. */
  | { readonly is: "lost"; readonly since: Date; readonly why: string };

/** How {@linkcode renderStatus} renders. */
export interface StatusStyle {
  /** The columns that the line may use. */
  readonly width: number;
  /** Whether to use colors. */
  readonly color: boolean;
  /** The time of day. */
  readonly now: Date;
}

/** A part of the line that has one color. */
interface Part {
  readonly text: string;
  readonly color?: "green" | "yellow" | "red";
}

/** ANSI color codes (ECMA-48, SGR). */
const COLORS = { green: 32, yellow: 33, red: 31 } as const;
const SEPARATOR = " · ";

/** Renders the status as one line without a line end, cut to fit the width. */
export function renderStatus(state: StatusState, counts: TrafficCounts, { width, color, now }: StatusStyle): string {
  let left = width;
  let line = "";
  for (const part of [stateOf(state, now), ...(state.is === "starting" ? [] : countsOf(counts))]) {
    const text = cut(terminalLine(part.text), left);
    left -= columns(text);
    line += color && part.color && text !== "" ? `\x1b[${COLORS[part.color]}m${text}\x1b[0m` : text;
    if (left <= 0) break;
  }
  return line;
}

function stateOf(state: StatusState, now: Date): Part {
  switch (state.is) {
    case "starting":
      return {
        text: `Starting kurun's Pod (${Math.max(0, Math.floor((now.getTime() - state.since.getTime()) / 1000))} s)…`,
        color: "yellow",
      };
    case "forwarding":
      return { text: `Forwarding since ${timeOfDay(state.since)}`, color: "green" };
    case "lost":
      return { text: `Connection lost since ${timeOfDay(state.since)} (${state.why})`, color: "red" };
  }
}

function countsOf({ open, connections, requests, errors, lastError }: TrafficCounts): Part[] {
  // Requests are known with -v alone, and of HTTP/1 alone: otherwise kurun does not read the bytes.
  const total = requests === 0 ? plural(connections, "connection") : plural(requests, "request");
  return [
    { text: `${SEPARATOR}${open} open${SEPARATOR}${total}` },
    ...(errors === 0 ? [] : [{ text: SEPARATOR }, { text: plural(errors, "error"), color: "red" as const }]),
    ...(errors === 0 || lastError === undefined ? [] : [{ text: `, the last: ${lastError}` }]),
  ];
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
