import { answeredAgainAt, type FlowRecord, isPrompt, type Sight } from "./flow_records.ts";

/** What a fault states: what callers may see besides their answer, and for how long. Times are in milliseconds. */
export interface Statement {
  /** The statement as text, for docs/reliability.md. */
  readonly says: string;
  /** What a caller may see instead of its answer. */
  readonly maySee: readonly Sight[];
  /** How long a request waits while nobody is connected. */
  readonly holdMs: number;
}

/** What was observed in a run. */
export interface Observation {
  readonly records: readonly FlowRecord[];
  /** How often the program saw each id. */
  readonly seen: ReadonlyMap<string, number>;
  /** When the fault was caused. */
  readonly faultAt: number;
  /** From when requests can be answered again, and the time they have for it; undefined if they never are. */
  readonly again?: { readonly since: number; readonly withinMs: number } | undefined;
}

/** The verdict on a run of a fault. */
export interface Judgement {
  readonly requests: number;
  /** How many callers saw what instead of their answer. */
  readonly failed: ReadonlyMap<Sight, number>;
  /** From the fault to the sending of the first request that was not answered. */
  readonly firstFailureMs: number | undefined;
  /** The longest wait of any caller, whatever came. */
  readonly longestMs: number;
  /** Counted from `again.since`. */
  readonly againMs: number | undefined;
  /** How many requests were sent once more, because their kept connection was closed in order before any part of an answer. */
  readonly sentAnew: number;
  /** What the statement does not allow. */
  readonly wrong: readonly string[];
}

/** Every caller must know the outcome within the hold plus this. */
const BEYOND_HOLD_MS = 1_000;
/** The caller's kernel gives up on a vanished address after three seconds of ARP and one retransmitted SYN; kurun has no part in that. */
const UNREACHABLE_MS = 6_000;
/** How many examples of each violation are shown. */
const EXAMPLES = 5;

/** Compares a run with the fault's statement. */
export function judge({ maySee, holdMs }: Statement, { records, seen, faultAt, again }: Observation): Judgement {
  const failures = records.filter(({ saw }) => saw !== "answered");
  const failed = new Map<Sight, number>();
  for (const { saw } of failures) if (saw) failed.set(saw, (failed.get(saw) ?? 0) + 1);
  const againAt = again && answeredAgainAt(records, again.since);
  const againMs = again && againAt !== undefined ? againAt - again.since : undefined;
  const at = (record: FlowRecord) => describeRecord(record, faultAt, seen);
  const wrong = [
    ...examples("with an outcome that must not be", failures.filter(({ saw }) => !saw || !maySee.includes(saw)), at),
    ...examples(
      `answered later than the hold plus a second (${holdMs + BEYOND_HOLD_MS} ms)`,
      records.filter((record) => waited(record) > Math.max(holdMs + BEYOND_HOLD_MS, record.saw === "unreachable" ? UNREACHABLE_MS : 0)),
      at,
    ),
    ...examples("seen more than once by the program", records.filter(({ id }) => (seen.get(id) ?? 0) > 1), at),
    ...examples("answered 200 without the program", records.filter(({ id, saw }) => saw === "answered" && !seen.has(id)), at),
    ...examples(
      "delivered, and yet answered that nobody is connected",
      records.filter(({ id, saw }) => saw === "503 nobody" && seen.has(id)),
      at,
    ),
    ...(again && againMs === undefined
      ? examples("left unanswered at the end", records.filter((record) => !isPrompt(record, Infinity)).slice(-1), at)
      : []),
    ...(again && againMs !== undefined && againMs > again.withinMs
      ? [`answered again after ${Math.round(againMs)} ms, where ${again.withinMs} ms are allowed`]
      : []),
  ];
  const first = failures.find(({ sentAt, endedAt }) => (endedAt ?? sentAt) >= faultAt);
  return {
    requests: records.length,
    failed,
    firstFailureMs: first && Math.max(0, first.sentAt - faultAt),
    longestMs: Math.max(0, ...records.map(waited)),
    againMs,
    sentAnew: records.filter(({ sentAnew }) => sentAnew).length,
    wrong,
  };
}

function waited({ sentAt, endedAt }: FlowRecord): number {
  return (endedAt ?? Infinity) - sentAt;
}

function examples(what: string, records: readonly FlowRecord[], describe: (record: FlowRecord) => string): string[] {
  if (records.length === 0) return [];
  const shown = records.slice(0, EXAMPLES).map((record) => `\n      ${describe(record)}`).join("");
  return [`${records.length} ${records.length === 1 ? "request" : "requests"} ${what}:${shown}`];
}

function describeRecord(record: FlowRecord, faultAt: number, seen: ReadonlyMap<string, number>): string {
  const { id, sentAt, saw, detail, kept } = record;
  const times = seen.get(id) ?? 0;
  return `${id.split("-")[0]}, sent ${Math.round(sentAt - faultAt)} ms after the fault${kept ? " on a kept connection" : ""}, ` +
    `${saw ?? "waiting"} after ${Math.round(waited(record))} ms, delivered ${times}x${detail ? `: ${detail}` : ""}`;
}
