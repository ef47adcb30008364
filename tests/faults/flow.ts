import { type Destination, HttpCaller } from "./http_caller.ts";
import { type FlowRecord, isPrompt } from "./flow_records.ts";

/** Requests a second. */
const RATE = 50;
/** Every fifth request uses a kept connection, as most HTTP clients do. */
const KEPT_EVERY = 5;
/** Every tenth request takes the program this long, so that one is always in flight. */
const SLOW_EVERY = 10;
const SLOW_MS = 300;
/** How often the clock is checked. */
const TICK_MS = 5;
/** Requests count as answered again after this time without a failure. */
const CALM_MS = 2_000;

/**
 * Sends requests at a steady rate, whatever becomes of the earlier ones: each is due by the clock, and none waits for an answer. A gap in
 * the answers therefore affects as many callers as it would in reality.
 *
 * A server may close a kept connection while a request is on its way. As browsers, fetch and Go do (RFC 9112, 9.3.1), such a request is sent
 * once more if the connection was closed in order before any part of an answer. If it had been delivered anyway, the program would see
 * its id twice.
 */
export class Flow {
  readonly records: FlowRecord[] = [];
  readonly #to: Destination;
  readonly #startedAt = performance.now();
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #underWay = new Set<Promise<void>>();
  readonly #kept = new Set<HttpCaller>();
  #tickedAt = performance.now();
  /** The longest time that this process itself did not run, in milliseconds; measurements are no more precise than this. */
  stalledMs = 0;

  constructor(to: Destination) {
    this.#to = to;
    this.#timer = setInterval(() => this.#sendDue(), TICK_MS);
  }

  /** Waits until every request has been answered promptly for two seconds. @returns whether that happened within `ms` */
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

  /** Stops sending and waits for the requests in flight. @param until requests sent later are dropped @returns all others */
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

  /** A kept connection that is idle; closed ones are dropped. */
  #freeOne(): HttpCaller | undefined {
    let found: HttpCaller | undefined;
    for (const caller of this.#kept) {
      if (caller.free) found ??= caller;
      else if (caller.over) this.#kept.delete(caller);
    }
    return found;
  }
}
