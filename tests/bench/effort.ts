/** How long the benchmark measures: repetitions and seconds, in one place, so that the whole stays under nine minutes. */
export interface Effort {
  /** How often everything is measured, where it can be directly and through kurun in turns; medians count. */
  readonly times: number;
  /** The same for requests with --tlssecret. */
  readonly tlsTimes: number;
  /** The same for one large body, which takes a quarter of a second: of five, one that a collection of garbage hit was the median at times. */
  readonly bodies: number;
  /** The same for starts of kurun, whose times a second more or less parts into two. */
  readonly starts: number;
  /** Seconds of one run of wrk. */
  readonly seconds: number;
  /** Seconds of one run in the rows that were cut shorter to fit. */
  readonly shortSeconds: number;
  /** Admission requests of each kind. */
  readonly admissions: number;
}

/** What the figures in the documentation are measured with: some 500 seconds. */
export const FULL: Effort = { times: 5, tlsTimes: 3, bodies: 15, starts: 11, seconds: 6, shortSeconds: 3, admissions: 200 };

/** To see that every part works, in a minute or so; its figures are good for nothing. */
export const QUICK: Effort = { times: 1, tlsTimes: 1, bodies: 1, starts: 1, seconds: 1, shortSeconds: 1, admissions: 10 };

/** The effort in words, for the table's header. */
export function effortText({ times, tlsTimes, bodies, starts, seconds, shortSeconds, admissions }: Effort): string {
  return `Medians of ${times}, of large bodies ${bodies} and of starts ${starts}, direct and through kurun in turns. Requests: nginx with one worker and 22 bytes of body, ` +
    `wrk -t2 -d${seconds}s (-t1 at one connection) after a warm-up of 1 s. With --tlssecret, direct is nginx itself with TLS and the same ` +
    `certificate, and wrk's handshakes are within its seconds. Cut shorter, so that all fits: requests with --tlssecret ${tlsTimes} times, redis-benchmark and -v run ${shortSeconds} s each, ` +
    `and with a delay wrk once for ${seconds} s. ${admissions} admission requests of each kind.`;
}
