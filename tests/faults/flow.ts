import { type Destination, HttpCaller } from "./http_caller.ts";
import { type FlowRecord, isPrompt } from "./flow_records.ts";

/** Requests a second. */
export const RATE = 50;
/** Each fifth request goes over connections that are kept, as most clients of HTTP do it. */
const KEPT_EVERY = 5;
/** Each tenth takes its program this long, so that there is always one under way. */
const SLOW_EVERY = 10;
const SLOW_MS = 300;
/** How often the clock is looked at. */
const TICK_MS = 5;
/** Requests are answered again when so much time has passed without one that was not. */
const CALM_MS = 2_000;

/**
 * Requests at a steady rate, whatever becomes of those before: each is due by the clock, and no answer is waited for. So a gap in the
 * answers meets as many callers as it would.
 *
 * On a kept connection a server may close while a request is on its way to it. As browsers, fetch and Go do (RFC 9112, 9.3.1), such a
 * request is sent once more where the connection was closed in order before anything of an answer: were it delivered all the same, the
 * program would see its id twice.
 */
export class Flow {
  readonly records: FlowRecord[] = [];
  readonly #to: Destination;
  readonly #startedAt = performance.now();
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #underWay = new Set<Promise<void>>();
  readonly #kept = new Set<HttpCaller>();
  #tickedAt = performance.now();
  /** The longest that this process itself did not run, in milliseconds: what is measured is no better. */
  stalledMs = 0;

  constructor(to: Destination) {
    this.#to = to;
    this.#timer = setInterval(() => this.#sendDue(), TICK_MS);
  }

  /** Waits until every request has been answered at once for two seconds. @returns whether that came within `ms` */
  async untilAnswered(ms: number): Promise<boolean> {
    const began = performance.now();
    for (;;) {
      const now = performance.now();
      const last = this.records.findLast((record) => !isPrompt(record, now))?.sentAt ?? -Infinity;
      if (now - Math.max(last, began) >= CALM_MS && this.records.some(({ saw }) => saw === "answered")) return true;
      if (now - began > ms + CALM_MS) return false;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Sends no more, and waits for those that are under way. @param until what was sent later is forgotten @returns all others */
  async stop(until = Infinity): Promise<readonly FlowRecord[]> {
    clearInterval(this.#timer);
    while ((this.records.at(-1)?.sentAt ?? -Infinity) > until) this.records.pop();
    await Promise.all(this.#underWay);
    for (const caller of this.#kept) caller.close();
    return this.records;
  }

  #sendDue(): void {
    const now = performance.now();
    this.stalledMs = Math.max(this.stalledMs, now - this.#tickedAt - TICK_MS);
    this.#tickedAt = now;
    const due = Math.floor((now - this.#startedAt) * RATE / 1000);
    while (this.records.length < due) {
      const sending = this.#send(this.records.length).finally(() => this.#underWay.delete(sending));
      this.#underWay.add(sending);
    }
  }

  async #send(number: number): Promise<void> {
    const keep = number % KEPT_EVERY === 0;
    const record: FlowRecord = { id: `${number}-${crypto.randomUUID()}`, sentAt: performance.now() };
    this.records.push(record);
    const before = keep ? this.#freeOne() : undefined;
    const caller = before ?? (keep ? this.#anew() : new HttpCaller(this.#to));
    const delayMs = number % SLOW_EVERY === 0 ? SLOW_MS : 0;
    let outcome = await caller.ask(record.id, delayMs, keep);
    const sentAnew = before !== undefined && outcome.saw === "ended";
    if (sentAnew) outcome = await this.#anew().ask(record.id, delayMs, keep);
    Object.assign(record, { ...outcome, endedAt: performance.now(), kept: before !== undefined, sentAnew });
  }

  /** A new connection that will be kept. */
  #anew(): HttpCaller {
    const caller = new HttpCaller(this.#to);
    this.#kept.add(caller);
    return caller;
  }

  /** A connection that stands and waits for nothing; those that have ended are forgotten. */
  #freeOne(): HttpCaller | undefined {
    let found: HttpCaller | undefined;
    for (const caller of this.#kept) {
      if (caller.free) found ??= caller;
      else if (caller.over) this.#kept.delete(caller);
    }
    return found;
  }
}
