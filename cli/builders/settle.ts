/** A change is over when nothing more has changed for this long: an editor saves in several steps, a formatter follows it. */
export const QUIET_MS = 60;
/** Where changes do not end, the first of them waits no longer than this. */
export const LONGEST_MS = 1_000;

/** Gathers changes that belong together; the clock is passed in. */
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

  /** Milliseconds until the changes are over, 0 where they are, undefined where there are none. */
  wait(now: number): number | undefined {
    if (this.#paths.size === 0) return undefined;
    return Math.max(0, Math.min(this.#last + QUIET_MS, this.#first + LONGEST_MS) - now);
  }

  /** The paths that changed, each once, in order of their first change; it begins anew. */
  take(): string[] {
    const paths = [...this.#paths];
    this.#paths = new Set();
    return paths;
  }
}
