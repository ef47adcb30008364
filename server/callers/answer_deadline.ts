import { answerWithin } from "../../tunnel/http1/patience.ts";
import type { Session } from "../../tunnel/mod.ts";
import { within } from "../net/timing.ts";
import type { Patience } from "./http1_exchanges.ts";

/** No webhook has less than a second. Below that, a distant client would look like one that is gone. */
const SHORTEST_MS = 1_000;
/** A client that is there has this long to show it, in milliseconds. */
const PONG_MS = 1_000;

/**
 * Finds out whether the client is still there just before a caller stops waiting for its answer. A client that loses its network says
 * nothing, and is otherwise missed 4 s after it was sent something, or 23 s later if it was sent nothing. One timer serves all requests of
 * a connection, so that requests that are answered in time start none.
 */
export class AnswerDeadline {
  #watched: Patience | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /**
   * @param patience the caller's, unless its answer has begun
   * @param session the client's
   * @param lost called if the client is gone and the answer has not begun
   */
  constructor(
    private readonly patience: () => Patience | undefined,
    private readonly session: () => Session | undefined,
    private readonly lost: () => void,
  ) {}

  /** Watches the next request, unless one is being watched. */
  watch(): void {
    const patience = this.#timer === undefined ? this.patience() : undefined;
    if (!patience || patience === this.#watched || patience.ms < SHORTEST_MS) return;
    this.#watched = patience;
    const ms = answerWithin(patience.ms);
    const pongMs = Math.min(PONG_MS, ms / 2);
    this.#timer = setTimeout(() => void this.#check(patience, pongMs), patience.since + ms - pongMs - performance.now());
  }

  /** Ends the watch. */
  stop(): void {
    clearTimeout(this.#timer);
  }

  /** Never rejects. */
  async #check(patience: Patience, pongMs: number): Promise<void> {
    this.#timer = undefined;
    const session = this.session();
    const asked = session?.now() ?? 0;
    const silent = session && this.patience() === patience && await within(pongMs, session.ping()) === null && session.receivedAt < asked;
    if (silent && this.patience() === patience) this.lost();
    else this.watch();
  }
}
