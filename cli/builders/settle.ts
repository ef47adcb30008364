/** A change is complete when nothing else has changed for this long: an editor saves in several steps, and a formatter may follow. */
export const QUIET_MS = 60;
/** If changes do not stop, the first one waits at most this long. */
export const LONGEST_MS = 1_000;

/** Gathers changes that belong together. The caller passes the time in. */
export class Settling {
  #paths = new Set<string>();
  #first = 0;
  #last = 0;

  /** @param now milliseconds */
  add(path: string, now: number): void {
    if (this.#paths.size === 0) this.#first = now;
    this.#last = now;
    this.#paths.add(path);
  }

  /** @returns milliseconds until the changes are complete, 0 if they are, undefined if there are none */
  wait(now: number): number | undefined {
    if (this.#paths.size === 0) return undefined;
    return Math.max(0, Math.min(this.#last + QUIET_MS, this.#first + LONGEST_MS) - now);
  }

  /** Takes the changed paths, each once, in order of their first change. */
  take(): string[] {
    const paths = [...this.#paths];
    this.#paths = new Set();
    return paths;
  }
}
