/** What became of one request. */
export type Sight =
  /** 200 with the request's own id. */
  | "answered"
  /** 503: no client was connected for the whole hold. */
  | "503 nobody"
  /** 503: the connection was lost before the answer; the request may have been delivered. */
  | "503 lost"
  | "502"
  /** Any other answer, including a 200 with another request's id. */
  | "wrong answer"
  /** The Service's rules reject the connection, or the Pod does: nothing was sent. */
  | "refused"
  /** There was no route to the Pod's address: nothing was sent. */
  | "unreachable"
  /** The connection broke before the answer began. */
  | "reset"
  /** The other side ended the connection without an answer. */
  | "ended"
  /** The connection broke after the answer had begun. */
  | "cut"
  /** No answer came before the caller gave up. */
  | "no answer";

/** What callers may see while a session ends: its rules, Pod and Service disappear in any order. */
export const WHILE_IT_GOES: readonly Sight[] = ["503 lost", "503 nobody", "refused", "unreachable"];

/** One request of a flow. Times are in milliseconds of one monotonic clock. */
export interface FlowRecord {
  readonly id: string;
  readonly sentAt: number;
  /** When its caller knew the outcome; undefined while it waits. */
  endedAt?: number;
  saw?: Sight;
  /** What came, for a report. */
  detail?: string;
  /** Whether its connection had carried another request before. */
  kept?: boolean;
  /** Whether its kept connection was closed before any part of an answer, so that it was sent once more on a new one. */
  sentAnew?: boolean;
}

/** A request that takes longer than this was held, or worse. */
const PROMPT_MS = 1_000;

/** Whether a request was answered without delay. @param now the current time, for a request that still waits */
export function isPrompt({ sentAt, endedAt, saw }: FlowRecord, now: number): boolean {
  return (saw === undefined || saw === "answered") && (endedAt ?? now) - sentAt <= PROMPT_MS;
}

/**
 * When requests are answered again: the first answer after which every request is answered within a second of its sending.
 *
 * @param since the earliest time to return
 * @returns undefined if no request was answered after the last one that was not prompt
 */
export function answeredAgainAt(records: readonly FlowRecord[], since: number): number | undefined {
  const last = records.findLast((record) => !isPrompt(record, Infinity));
  const begin = last?.sentAt ?? -Infinity;
  const ends = records.filter(({ sentAt, saw }) => sentAt >= begin && saw === "answered").map(({ endedAt }) => endedAt as number);
  if (ends.length === 0) return undefined;
  return Math.max(since, last ? Math.min(...ends) : since);
}
