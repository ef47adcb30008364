import { age } from "../session/age.ts";
import type { StatusScreen } from "./status_screen.ts";
import type { LinkState } from "../session/tunnel_link.ts";

/** Says when the link goes and when it is back; not while the Pod starts, when nothing is amiss yet. */
export class LinkTeller {
  readonly #say: (line: string) => void;
  readonly #screen: StatusScreen;
  readonly #date: () => Date;
  #begun = false;
  #lostAt: Date | undefined;

  /** @param say prints a line */
  constructor(say: (line: string) => void, screen: StatusScreen, date: () => Date) {
    this.#say = say;
    this.#screen = screen;
    this.#date = date;
  }

  /** Whether callers have been served. */
  get begun(): boolean {
    return this.#begun;
  }

  /** Callers are served from now on. */
  begin(): void {
    this.#begun = true;
    this.#lostAt = undefined;
    this.#screen.show({ is: "forwarding", since: this.#date() });
  }

  /** The session has ended and another is being made. */
  pauseWhileStarting(): void {
    this.#begun = false;
    this.#screen.show({ is: "starting", since: this.#date() });
  }

  /** The session is being removed: what becomes of its link is not worth a word. */
  end(): void {
    this.#begun = false;
  }

  /** Shows a change of the link. */
  state(state: LinkState): void {
    if (!this.#begun) return;
    const now = this.#date();
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
}
