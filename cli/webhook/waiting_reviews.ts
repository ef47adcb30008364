import type { ReaderOutput } from "../port_forward/exchange_reader.ts";

/** A request that waits for its answer. */
export interface Waiting {
  /** By the clock of {@linkcode ReaderOutput}. */
  readonly since: number;
  /** How long its caller waits, in milliseconds; undefined if it does not say. */
  readonly patienceMs: number | undefined;
  /** What it is about. */
  readonly subject: string;
}

/** Most answers come sooner. */
const FIRST_MS = 2_000;
/** The status line counts each second. */
const LIVE_MS = 1_000;
/** Lines that stay are rarer. */
const LINE_MS = 10_000;

/** Says how long requests have been waiting for their answers: in the status line, or in lines after 2 s, 10 s, 20 s and so on. */
export class WaitingReviews {
  readonly #output: ReaderOutput;
  /** Each with when it is next to be mentioned, the oldest first. */
  readonly #waiting = new Map<Waiting, number>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #timerAt = Infinity;

  constructor(output: ReaderOutput) {
    this.#output = output;
  }

  add(waiting: Waiting): void {
    this.#setNext(waiting, waiting.since + FIRST_MS);
  }

  delete(waiting: Waiting): void {
    if (!this.#waiting.delete(waiting)) return;
    if (this.#waiting.size === 0) this.#clear();
    if (this.#output.isLive) this.#show();
  }

  #setNext(waiting: Waiting, at: number): void {
    this.#waiting.set(waiting, at);
    if (at >= this.#timerAt) return;
    this.#clear();
    this.#timerAt = at;
    this.#timer = setTimeout(() => this.#due(), Math.max(0, at - this.#output.now()));
  }

  #clear(): void {
    clearTimeout(this.#timer);
    this.#timerAt = Infinity;
  }

  #due(): void {
    this.#clear();
    const { now, isLive, say } = this.#output;
    const time = now();
    for (const [waiting, at] of this.#waiting) {
      if (at > time) {
        this.#setNext(waiting, at);
        continue;
      }
      // Nobody waits any more, even if the connection does not say so.
      if (time - waiting.since >= (waiting.patienceMs ?? Infinity)) {
        this.#waiting.delete(waiting);
        continue;
      }
      if (!isLive) say(describe(waiting, time));
      this.#setNext(waiting, isLive ? at + LIVE_MS : at - waiting.since < LINE_MS ? waiting.since + LINE_MS : at + LINE_MS);
    }
    if (isLive) this.#show();
  }

  #show(): void {
    const time = this.#output.now();
    const long = [...this.#waiting.keys()].filter(({ since }) => time - since >= FIRST_MS);
    const [oldest] = long;
    const more = long.length > 1 ? ` (and ${long.length - 1} more)` : "";
    this.#output.traffic.waits(oldest && `${describe(oldest, time)}${more}`);
  }
}

function describe({ since, patienceMs, subject }: Waiting, now: number): string {
  const limit = patienceMs === undefined ? "" : ` of ${Math.round(patienceMs / 1000)}`;
  return `waiting ${Math.floor((now - since) / 1000)} s${limit}: ${subject}`;
}
