import type { CallerConnection } from "./caller.ts";

/** The callers that are here, for the time when the server is being stopped. */
export class OpenCallers {
  readonly #callers = new Set<CallerConnection>();
  #open = 0;
  #arrivedAt = -Infinity;
  #draining = false;
  #gone = Promise.withResolvers<void>();

  /** A caller has connected, who may yet have to finish a TLS handshake. @returns what says that it has gone */
  arrived(): () => void {
    this.#open++;
    this.#arrivedAt = performance.now();
    return () => {
      this.#open--;
      if (this.#open > 0) return;
      this.#gone.resolve();
      this.#gone = Promise.withResolvers();
    };
  }

  /** When the last one connected, on the clock of `performance.now()`. */
  get arrivedAt(): number {
    return this.#arrivedAt;
  }

  /** A caller can be told what happens. */
  add(caller: CallerConnection): void {
    this.#callers.add(caller);
    if (this.#draining) caller.drain();
  }

  /** A caller has gone. */
  delete(caller: CallerConnection): void {
    this.#callers.delete(caller);
  }

  /** From now on each is closed behind its next answer. */
  drain(): void {
    this.#draining = true;
    for (const caller of this.#callers) caller.drain();
  }

  /** Closes those that wait for nothing. */
  closeIdle(): void {
    for (const caller of this.#callers) caller.closeIdle();
  }

  /** Waits until none is here. */
  async allGone(): Promise<void> {
    while (this.#open > 0) await this.#gone.promise;
  }
}
