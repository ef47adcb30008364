import type { Hello } from "../../tunnel/mod.ts";

/** Clients are remembered whose session another took: so many, the newest. An older one that comes back is one of long ago. */
const MAX_REPLACED = 64;

/** What the control port answers at /client: no names, which stand at the session's Job. */
export interface ClientAnswer {
  readonly connected: boolean;
  /** Since when, ISO 8601; null where no client has ever been here. */
  readonly since: string | null;
}

/** Remembers who was here: since when somebody is connected or nobody is, and whose session another client has taken over. */
export class ClientHistory {
  readonly #date: () => Date;
  #connected = false;
  #since: Date | undefined;
  #last: Hello | undefined;
  /** Clients whose session another took, by their instance, and who did. */
  readonly #replaced = new Map<string, Hello>();

  /** @param date the time of day */
  constructor(date: () => Date) {
    this.#date = date;
  }

  /**
   * Who took the session from this client. A client that was away when it happened could not be told then, and would otherwise take the
   * session back as soon as its network is there again.
   */
  replacedBy({ instance }: Hello): Hello | undefined {
    return this.#replaced.get(instance);
  }

  /** A client has been let in. */
  arrived(hello: Hello): void {
    if (this.#last && this.#last.instance !== hello.instance) this.#remember(this.#last, hello);
    this.#last = hello;
    this.#connected = true;
    this.#since = this.#date();
  }

  #remember({ instance }: Hello, taker: Hello): void {
    this.#replaced.set(instance, taker);
    if (this.#replaced.size <= MAX_REPLACED) return;
    const [oldest] = this.#replaced.keys();
    this.#replaced.delete(oldest as string);
  }

  /** A connection has ended, and `connected` tells whether a newer one is there. */
  left(connected: boolean): void {
    if (connected || !this.#connected) return;
    this.#connected = false;
    this.#since = this.#date();
  }

  /** What there is to say now. */
  answer(): ClientAnswer {
    return { connected: this.#connected, since: this.#since?.toISOString() ?? null };
  }
}
