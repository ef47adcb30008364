import { type Hello, keepAlive, type Session } from "../tunnel/mod.ts";

/** Close codes of the WebSocket that a client must tell apart (RFC 6455, 7.4.2: 4000 to 4999 are the application's). */
export const CloseCode = {
  /** The same client connected anew; this connection is its old one. */
  reconnected: 4000,
  /** Another client took the session over; do not dial again. */
  replaced: 4001,
  /** The proof was wrong or came too late. */
  unproven: 4002,
  /** The server is being stopped; dial again. */
  stopping: 4003,
} as const;

/** The one client that is connected, and who waits for it. */
export class LiveClient {
  #draining = false;
  #session: Session | undefined;
  #hello: Hello | undefined;
  #waiting = new Set<(session: Session | undefined) => void>();

  /** The client's session while it is connected. */
  get session(): Session | undefined {
    return this.#session?.ended ? undefined : this.#session;
  }

  /** Whether {@link drain} was called. */
  get draining(): boolean {
    return this.#draining;
  }

  /** The client that is or was here, and how long nothing has been heard of it, in milliseconds. */
  get last(): { readonly hello: Hello; readonly silentMs: number } | undefined {
    if (!this.#session || !this.#hello) return undefined;
    return { hello: this.#hello, silentMs: this.#session.now() - this.#session.receivedAt };
  }

  /** The server is being stopped: the client is told to dial anew, and is not waited for; while it stays, callers go on to it. */
  drain(): void {
    this.#draining = true;
    this.session?.goAway();
    this.#go(undefined);
  }

  /** Takes a proven client in; the one before goes, and is told by whom. */
  attach(session: Session, hello: Hello): void {
    const before = this.session;
    const instanceBefore = this.#hello?.instance;
    this.#session = session;
    this.#hello = hello;
    keepAlive(session);
    if (before) {
      if (instanceBefore === hello.instance) before.close(CloseCode.reconnected, "the same client connected anew");
      else before.close(CloseCode.replaced, `replaced by ${hello.who} from ${hello.from}`);
    }
    if (this.#draining) session.goAway();
    this.#go(session);
  }

  /** The client's session, or the next one that comes within `ms`. */
  wait(ms: number): Promise<Session | undefined> {
    const session = this.session;
    if (session || this.#draining) return Promise.resolve(session);
    return new Promise((resolve) => {
      const arrived = (next: Session | undefined) => {
        clearTimeout(timer);
        resolve(next);
      };
      const timer = setTimeout(() => {
        this.#waiting.delete(arrived);
        resolve(undefined);
      }, ms);
      this.#waiting.add(arrived);
    });
  }

  #go(session: Session | undefined): void {
    const waiting = this.#waiting;
    this.#waiting = new Set();
    for (const go of waiting) go(session);
  }
}
