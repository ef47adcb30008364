import { answeredAgainAt, type FlowRecord, isPrompt, type Sight } from "./flow_records.ts";

/** What a caller may see beyond its answer, and when it must be answered again. Times are in milliseconds. */
export interface Statement {
  /** In words, for docs/reliability.md. */
  readonly says: string;
  /** What else a caller may see than its answer. */
  readonly maySee: readonly Sight[];
  /** How long a request waits while nobody is connected. */
  readonly holdMs: number;
}

/** What happened, as far as it is judged. */
export interface Observation {
  readonly records: readonly FlowRecord[];
  /** How often the program saw each id. */
  readonly seen: ReadonlyMap<string, number>;
  /** When the fault was made. */
  readonly faultAt: number;
  /** Since when requests can be answered again, and within what they must; undefined where they never are. */
  readonly again?: { readonly since: number; readonly withinMs: number } | undefined;
}

/** What a run of a fault showed. */
export interface Judgement {
  readonly requests: number;
  /** How many saw what, but for their answers. */
  readonly failed: ReadonlyMap<Sight, number>;
  /** From the fault to the sending of the first request that was not answered. */
  readonly firstFailureMs: number | undefined;
  /** The longest that a caller waited for whatever came. */
  readonly longestMs: number;
  /** From `again.since` on. */
  readonly againMs: number | undefined;
  /** How many were sent once more, since their kept connection was closed in order before anything of an answer. */
  readonly sentAnew: number;
  /** What the statement does not allow, in words. */
  readonly wrong: readonly string[];
}

/** A second beyond the hold, by which each caller must know. */
const BEYOND_HOLD_MS = 1_000;
/** The caller's own kernel gives up an address that is gone after three seconds of ARP, and a SYN sent again: kurun is no part of it. */
const UNREACHABLE_MS = 6_000;
/** So many examples are shown of what should not be. */
const EXAMPLES = 5;

/** Judges a run by its statement. */
export function judge({ maySee, holdMs }: Statement, { records, seen, faultAt, again }: Observation): Judgement {
  const failures = records.filter(({ saw }) => saw !== "answered");
  const failed = new Map<Sight, number>();
  for (const { saw } of failures) if (saw) failed.set(saw, (failed.get(saw) ?? 0) + 1);
  const againAt = again && answeredAgainAt(records, again.since);
  const againMs = again && againAt !== undefined ? againAt - again.since : undefined;
  const at = (record: FlowRecord) => describeRecord(record, faultAt, seen);
  const wrong = [
    ...examples("seen that must not be", failures.filter(({ saw }) => !saw || !maySee.includes(saw)), at),
    ...examples(
      `answered later than the hold and a second (${holdMs + BEYOND_HOLD_MS} ms)`,
      records.filter((record) => waited(record) > Math.max(holdMs + BEYOND_HOLD_MS, record.saw === "unreachable" ? UNREACHABLE_MS : 0)),
      at,
    ),
    ...examples("seen more than once by the program", records.filter(({ id }) => (seen.get(id) ?? 0) > 1), at),
    ...examples("answered 200 without the program", records.filter(({ id, saw }) => saw === "answered" && !seen.has(id)), at),
    ...examples("told that nobody was there, and delivered", records.filter(({ id, saw }) => saw === "503 nobody" && seen.has(id)), at),
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
