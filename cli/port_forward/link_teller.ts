import { age } from "../session/age.ts";
import type { StatusScreen } from "./status_screen.ts";
import type { LinkState } from "../session/tunnel_link.ts";

/** Reports when the connection is lost and restored, but not while the Pod starts. */
export class LinkTeller {
  readonly #screen: StatusScreen;
  #begun = false;
  #lostAt: Date | undefined;

  constructor(screen: StatusScreen) {
    this.#screen = screen;
  }

  /** Whether callers have been served. */
  get begun(): boolean {
    return this.#begun;
  }

  /** Whether callers are served now. */
  get connected(): boolean {
    return this.#begun && this.#lostAt === undefined;
  }

  /** Callers are served from now on. */
  begin(): void {
    this.#begun = true;
    this.#lostAt = undefined;
    this.#screen.show({ is: "forwarding", since: this.#screen.context.date() });
  }

  /** The session has ended and a new one is being created. */
  pauseWhileStarting(): void {
    this.#begun = false;
    this.#screen.show({ is: "starting", since: this.#screen.context.date() });
  }

  /** The session is being removed: its connection is no longer reported. */
  end(): void {
    this.#begun = false;
  }

  /** Shows a change of the link. */
  state(state: LinkState): void {
    if (!this.#begun) return;
    const now = this.#screen.context.date();
    if (state.is === "connected") {
      if (this.#lostAt) this.#say(`Reconnected after ${age(now.getTime() - this.#lostAt.getTime())}`);
      this.#lostAt = undefined;
      this.#screen.show({ is: "forwarding", since: now });
      return;
    }
    if (!this.#lostAt) this.#say(`Connection lost: ${state.why}; reconnecting`);
    this.#lostAt ??= now;
    this.#screen.show({ is: "lost", since: this.#lostAt, why: state.why });
  }

  #say(line: string): void {
    this.#screen.context.stderr(`${line}\n`);
  }
}
