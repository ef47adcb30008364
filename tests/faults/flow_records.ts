/** What became of one request. */
export type Sight =
  /** 200 with the request's own id. */
  | "answered"
  /** 503: nobody was connected for the hold. */
  | "503 nobody"
  /** 503: the connection was lost before the answer; the request may have been delivered. */
  | "503 lost"
  | "502"
  /** Any other answer, also a 200 with somebody else's id. */
  | "wrong answer"
  /** The Service's rules reject the connection, or the Pod does: nothing was sent. */
  | "refused"
  /** No way to the Pod's address: nothing was sent. */
  | "unreachable"
  /** The connection broke before the answer began. */
  | "reset"
  /** The other side ended the connection without an answer. */
  | "ended"
  /** The connection broke after the answer had begun. */
  | "cut"
  /** Nothing came for so long that the caller gave up. */
  | "no answer";

/** While a session ends: its rules, its Pod and its Service go in any order, so callers are answered, refused, or find nobody there. */
export const WHILE_IT_GOES: readonly Sight[] = ["503 lost", "503 nobody", "refused", "unreachable"];

/** One request of a flow. Times are in milliseconds of one clock that only goes on. */
export interface FlowRecord {
  readonly id: string;
  readonly sentAt: number;
  /** When its caller knew what became of it; undefined while it waits. */
  endedAt?: number;
  saw?: Sight;
  /** What came, in words, for a report. */
  detail?: string;
  /** Whether it went over a connection that had carried another one before. */
  kept?: boolean;
  /** Whether that one was closed before anything of an answer came, so that it was sent once more, on a new one. */
  sentAnew?: boolean;
}

/** A request that takes longer than this was held, or worse. */
export const PROMPT_MS = 1_000;

/** Whether a request got its answer without delay. @param now for one that still waits: it has been prompt so far, or not */
export function isPrompt({ sentAt, endedAt, saw }: FlowRecord, now: number): boolean {
  return (saw === undefined || saw === "answered") && (endedAt ?? now) - sentAt <= PROMPT_MS;
}

/**
 * When requests are answered again: the first answer after which every request is answered within a second of its sending.
 *
 * @param since when it could be again, the earliest that is returned
 * @returns undefined where the last request that was not prompt has no answered one behind it
 */
export function answeredAgainAt(records: readonly FlowRecord[], since: number): number | undefined {
  const last = records.findLast((record) => !isPrompt(record, Infinity));
  const begin = last?.sentAt ?? -Infinity;
  const ends = records.filter(({ sentAt, saw }) => sentAt >= begin && saw === "answered").map(({ endedAt }) => endedAt as number);
  if (ends.length === 0) return undefined;
  return Math.max(since, last ? Math.min(...ends) : since);
}
