/**
 * How long the callers of HTTP/1 requests wait for their answers. The API server says so in the URL of a webhook's request:
 * `?timeout=10s`. Pure functions.
 *
 * @module
 */
import type { Span } from "./head.ts";

/** A longer `?timeout=` is ignored; Kubernetes allows a webhook 30 s. */
const LONGEST_MS = 600_000;
/** For the way back, and because the API server rounds what is left of a request's time up to whole seconds. */
const MARGIN_MS = 1_250;
/** Nanoseconds of the units of Go's time.ParseDuration. */
const UNIT_NS: Readonly<Record<string, number>> = { ns: 1, us: 1e3, "µs": 1e3, "μs": 1e3, ms: 1e6, s: 1e9, m: 6e10, h: 3.6e12 };
const QUESTION_MARK = 63;

/** Reads a positive duration in the syntax of Go's time.ParseDuration. @returns milliseconds; undefined for anything else */
export function goDurationMs(text: string): number | undefined {
  // Each digit can be read in one way only: a target of 60,000 digits would otherwise take seconds.
  if (!/^\+?(?:(?:\d+(?:\.\d*)?|\.\d+)(?:[nuµμm]?s|m|h))+$/.test(text)) return undefined;
  let ns = 0;
  for (const [, whole, fraction = "", unit = ""] of text.matchAll(/(\d*)(?:\.(\d*))?([^\d.+]+)/g)) {
    ns += Number(whole) * UNIT_NS[unit]! + Math.floor(Number(fraction) * (UNIT_NS[unit]! / 10 ** fraction.length));
  }
  // Go's durations are 64-bit numbers.
  return ns > 0 && ns < 2 ** 63 ? ns / 1e6 : undefined;
}

/** How long a request's caller waits, from the first `timeout` in its target's query. @returns milliseconds; undefined if it does not say */
export function patienceOf(target: string): number | undefined {
  const [, value] = /^[^?]*\?(?:.*?&)??timeout=([^&]*)/.exec(target) ?? [];
  const ms = value === undefined ? undefined : goDurationMs(new URLSearchParams(`v=${value}`).get("v") as string);
  return ms !== undefined && ms <= LONGEST_MS ? ms : undefined;
}

/** The last query and its patience: the API server repeats itself, and reading one takes 4 µs. */
let last: { readonly query: string; readonly ms: number | undefined } = { query: "", ms: undefined };

/** As {@link patienceOf}, for a target in `bytes`. Most have no query and are not decoded. */
export function patienceIn(bytes: Uint8Array, { start, end }: Span): number | undefined {
  let at = start;
  while (at < end && bytes[at] !== QUESTION_MARK) at++;
  let query = "";
  while (at < end) query += String.fromCharCode(bytes[at++] as number);
  if (query !== last.query) last = { query, ms: patienceOf(query) };
  return last.ms;
}

/** How much of its caller's patience a request may spend waiting for a client. */
export function holdWithin(patienceMs: number): number {
  return Math.max(patienceMs - MARGIN_MS, patienceMs / 4);
}

/** When an answer must be sent to arrive before its caller's patience is over. */
export function answerWithin(patienceMs: number): number {
  return Math.max(patienceMs - MARGIN_MS, patienceMs * 3 / 4);
}
