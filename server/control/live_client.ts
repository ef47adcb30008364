import { type Hello, keepAlive, MAX_STREAMS, type Session, SessionEndedError, type Stream, StreamLimitError } from "../../tunnel/mod.ts";

/** Close codes of the WebSocket that a client must tell apart (RFC 6455, 7.4.2: 4000 to 4999 are for applications). */
export const CloseCode = {
  /** The same client has reconnected; this is its old connection. */
  reconnected: 4000,
  /** Another client has taken the session over; do not dial again. */
  replaced: 4001,
  /** The proof was wrong or late. */
  unproven: 4002,
  /** The server is being stopped; dial again. */
  stopping: 4003,
} as const;

/** More waiting callers are not asked how long they can wait: their requests would have to be read and kept, each up to 72 KiB. */
const MAX_ASKED = 256;

/** A caller that waits for a stream. */
interface Waiting {
  /** The stream's first bytes. */
  readonly first: Uint8Array;
  /** Takes the stream, or why there is none. */
  readonly settle: (opened: Stream | Error | undefined) => void;
}

/** The one client that is connected, and the callers that wait for a stream to it. */
export class LiveClient {
  /** Whether {@link drain} was called. */
  draining = false;
  #session: Session | undefined;
  #hello: Hello | undefined;
  /** In the order of arrival. */
  readonly #waiting = new Set<Waiting>();

  /** The client's session while it is connected. */
  get session(): Session | undefined {
    return this.#session?.ended ? undefined : this.#session;
  }

  /** The client that is or was connected, and for how many milliseconds nothing has arrived from it. */
  get last(): { readonly hello: Hello; readonly silentMs: number } | undefined {
    if (!this.#session || !this.#hello) return undefined;
    return { hello: this.#hello, silentMs: this.#session.now() - this.#session.receivedAt };
  }

  /** The server is being stopped: tells the client to dial again, and waits for none. While it stays connected, callers still reach it. */
  drain(): void {
    this.draining = true;
    this.session?.goAway();
    if (this.session) return;
    for (const { settle } of this.#waiting) settle(undefined);
  }

  /** Admits a client that has proven itself. The previous one is disconnected and told by whom. */
  attach(session: Session, hello: Hello): void {
    const before = this.session;
    const instanceBefore = this.#hello?.instance;
    this.#session = session;
    this.#hello = hello;
    keepAlive(session);
    if (before) {
      if (instanceBefore === hello.instance) before.close(CloseCode.reconnected, "the same client has reconnected");
      else before.close(CloseCode.replaced, `replaced by ${hello.who} from ${hello.from}`);
    }
    if (this.draining) session.goAway();
    session.onroom = () => this.#serve();
    this.#serve();
  }

  /**
   * Opens a stream whose first bytes are `first`, as soon as a client is connected and has room, in the order of the calls.
   * @param ms how long that may take, in milliseconds
   * @param sooner is called if the caller has to wait: how long it can wait at most, if it says. It never rejects
   * @returns undefined where nobody is connected, StreamLimitError where all streams are taken, or another error that prevented it
   */
  open(first: Uint8Array, ms: number, sooner?: () => Promise<number | undefined>): Promise<Stream | Error | undefined> {
    const opened = this.#waiting.size === 0 ? this.#tryOpen(first) : undefined;
    if (opened || (this.draining && !this.session)) return Promise.resolve(opened);
    return new Promise((resolve) => {
      const waiting: Waiting = {
        first,
        settle: (opened) => {
          for (const timer of timers) clearTimeout(timer);
          this.#waiting.delete(waiting);
          resolve(opened);
        },
      };
      const settleAfter = (ms: number) => setTimeout(() => waiting.settle(this.#whyNot()), ms);
      const timers = [settleAfter(ms)];
      this.#waiting.add(waiting);
      if (this.#waiting.size <= MAX_ASKED) {
        // Never rejects.
        void sooner?.().then((ms) => {
          if (ms !== undefined && this.#waiting.has(waiting)) timers.push(settleAfter(ms));
        });
      }
    });
  }

  #serve(): void {
    for (const { first, settle } of this.#waiting) {
      const opened = this.#tryOpen(first);
      if (!opened) return;
      settle(opened);
    }
  }

  #whyNot(): StreamLimitError | undefined {
    if (!this.session || this.session.streamCount < MAX_STREAMS) return undefined;
    return new StreamLimitError(`${MAX_STREAMS} callers are being served at once, which is the limit, and none of them ended in time`);
  }

  /** @returns undefined where a later try may succeed */
  #tryOpen(first: Uint8Array): Stream | Error | undefined {
    try {
      return this.session?.open(first);
    } catch (error) {
      // A session that is ending opens no more streams; nothing was sent.
      return error instanceof StreamLimitError || error instanceof SessionEndedError ? undefined : error as Error;
    }
  }
}
