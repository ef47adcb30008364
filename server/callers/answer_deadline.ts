import { answerWithin } from "../../tunnel/http1/patience.ts";
import type { Session } from "../../tunnel/mod.ts";
import type { AwaitedRequest } from "./http1_exchanges.ts";

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
  #request: AwaitedRequest | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /**
   * @param unanswered the connection's request whose answer comes next, unless it has begun
   * @param session the client's
   * @param lost called if the client is gone and the answer has not begun
   */
  constructor(
    private readonly unanswered: () => AwaitedRequest | undefined,
    private readonly session: () => Session | undefined,
    private readonly lost: () => void,
  ) {}

  /** Watches the next request, unless one is being watched. */
  watch(): void {
    const request = this.#timer === undefined ? this.unanswered() : undefined;
    if (!request?.patience || request === this.#request || request.patience.ms < SHORTEST_MS) return;
    this.#request = request;
    const { ms, since } = request.patience;
    const deadline = since + answerWithin(ms);
    this.#at(deadline - Math.min(PONG_MS, answerWithin(ms) / 2), () => {
      const session = this.session();
      if (!session || this.unanswered() !== request) return this.watch();
      const asked = session.now();
      void session.ping();
      this.#at(deadline, () => {
        if (session.receivedAt >= asked || this.unanswered() !== request) this.watch();
        else this.lost();
      });
    });
  }

  /** Ends the watch. */
  stop(): void {
    clearTimeout(this.#timer);
  }

  #at(time: number, act: () => void): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      act();
    }, time - performance.now());
  }
}
