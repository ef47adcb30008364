import type { Hello } from "../../tunnel/mod.ts";

/** How many replaced clients are remembered, the newest ones. */
const MAX_REPLACED = 64;

/** What the control port answers at /client. Names are left to the session's Job. */
export interface ClientAnswer {
  readonly connected: boolean;
  /** Since when, in ISO 8601; null where no client has ever connected. */
  readonly since: string | null;
}

/** Remembers since when a client has been connected or disconnected, and which client replaced which. */
export class ClientHistory {
  readonly #date: () => Date;
  #connected = false;
  #since: Date | undefined;
  #last: Hello | undefined;
  /** By the instance of a client that was replaced, the client that replaced it. */
  readonly #replaced = new Map<string, Hello>();

  /** @param date the time of day */
  constructor(date: () => Date) {
    this.#date = date;
  }

  /**
   * The client that took the session from this one. A client that was offline when it happened could not be told, and would otherwise take
   * the session back as soon as it is online again.
   */
  replacedBy({ instance }: Hello): Hello | undefined {
    return this.#replaced.get(instance);
  }

  /** Notes that a client was admitted. */
  arrived(hello: Hello): void {
    if (this.#last && this.#last.instance !== hello.instance) this.#replaced.set(this.#last.instance, hello);
    const [oldest] = this.#replaced.keys();
    if (this.#replaced.size > MAX_REPLACED) this.#replaced.delete(oldest as string);
    this.#last = hello;
    this.#connected = true;
    this.#since = this.#date();
  }

  /** Notes that a connection has ended. @param connected whether there is a newer one */
  left(connected: boolean): void {
    if (connected || !this.#connected) return;
    this.#connected = false;
    this.#since = this.#date();
  }

  /** The answer at this moment. */
  answer(): ClientAnswer {
    return { connected: this.#connected, since: this.#since?.toISOString() ?? null };
  }
}
