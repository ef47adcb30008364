/** How long the benchmark measures: repetitions and seconds, in one place, so that the whole stays under nine minutes. */
export interface Effort {
  /** How often each part is measured, directly and through kurun in turns where possible. Medians count. */
  readonly times: number;
  /** The same for requests with --tlssecret. */
  readonly tlsTimes: number;
  /** The same for one large body. A body takes a quarter of a second, and of only five the median was sometimes one hit by a garbage collection. */
  readonly bodies: number;
  /** The same for starts of kurun, which fall into two groups a second apart. */
  readonly starts: number;
  /** Seconds of one run of wrk. */
  readonly seconds: number;
  /** Seconds of one run in the rows that are shortened. */
  readonly shortSeconds: number;
  /** Admission requests of each kind. */
  readonly admissions: number;
}

/** The effort behind the figures in the documentation: about 500 seconds. */
export const FULL: Effort = { times: 5, tlsTimes: 3, bodies: 15, starts: 11, seconds: 6, shortSeconds: 3, admissions: 200 };

/** Checks that every part works, in about a minute. The figures mean nothing. */
export const QUICK: Effort = { times: 1, tlsTimes: 1, bodies: 1, starts: 1, seconds: 1, shortSeconds: 1, admissions: 10 };

/** The effort as text, for the table's header. @param compares whether other tunnels are measured too, which leaves out most parts */
export function effortText(effort: Effort, compares: boolean): string {
  const { times, tlsTimes, bodies, starts, seconds, shortSeconds, admissions } = effort;
  const wrk = (seconds: number) =>
    `nginx with one worker and a body of 22 bytes, wrk -t2 -d${seconds}s (-t1 at one connection) after a warm-up of 1 s`;
  if (compares) return `Medians of ${times} runs (${bodies} for large bodies), all ways in turns. Requests: ${wrk(shortSeconds)}.`;
  return `Medians of ${times} runs (${bodies} for large bodies, ${starts} for starts), directly and through kurun, alternating. Requests: ` +
    `${wrk(seconds)}. With --tlssecret, direct is nginx itself with TLS and the same certificate, and wrk's handshakes count. ` +
    `Shortened: requests with --tlssecret ${tlsTimes} runs, redis-benchmark and -v ${shortSeconds} s each, ` +
    `and with a delay one run of wrk for ${seconds} s. ${admissions} admission requests of each kind.`;
}
