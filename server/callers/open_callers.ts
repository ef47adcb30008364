import type { CallerConnection } from "./caller.ts";

/** The callers that are connected, for the time when the server is being stopped. */
export class OpenCallers {
  /** When the last one connected, on the clock of `performance.now()`. */
  arrivedAt = -Infinity;
  readonly #callers = new Set<CallerConnection>();
  #open = 0;
  #draining = false;
  #gone = Promise.withResolvers<void>();

  /** Counts a caller that has connected; its TLS handshake may still be under way. @returns call it when the caller has gone */
  arrived(): () => void {
    this.#open++;
    this.arrivedAt = performance.now();
    return () => {
      this.#open--;
      if (this.#open > 0) return;
      this.#gone.resolve();
      this.#gone = Promise.withResolvers();
    };
  }

  /** Adds a caller that can be told what happens. */
  add(caller: CallerConnection): void {
    this.#callers.add(caller);
    if (this.#draining) caller.drain();
  }

  /** Removes a caller that has gone. */
  delete(caller: CallerConnection): void {
    this.#callers.delete(caller);
  }

  /** Closes each caller behind its next answer from now on. */
  drain(): void {
    this.#draining = true;
    for (const caller of this.#callers) caller.drain();
  }

  /** Closes the callers that wait for nothing. */
  closeIdle(): void {
    for (const caller of this.#callers) caller.closeIdle();
  }

  /** Breaks what is still open, so that no half answer looks whole when the process ends. */
  reset(): void {
    for (const caller of this.#callers) caller.reset();
  }

  /** Waits until no caller is connected. */
  async allGone(): Promise<void> {
    while (this.#open > 0) await this.#gone.promise;
  }
}
