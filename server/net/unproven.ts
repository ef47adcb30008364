interface Entry {
  readonly address: string;
  readonly close: (late: boolean) => void;
  readonly timer: ReturnType<typeof setTimeout>;
}

/**
 * Connections whose peers have proven nothing yet: those to the control port that have not shown the session's key, and callers in the
 * middle of a TLS handshake. Anybody in the cluster can open them, as many and as fast as they like. Not all are kept, and none for long; the
 * address with the most loses its oldest, so that a flood from one address pushes nobody else out.
 */
export class Unproven {
  /** The oldest first. */
  readonly #entries = new Set<Entry>();
  readonly #max: number;
  readonly #ms: number;

  /** @param max how many are kept; one more pushes one out @param ms how long each is kept, in milliseconds */
  constructor(max: number, ms: number) {
    this.#max = max;
    this.#ms = ms;
  }

  /**
   * Adds a connection that has just been accepted.
   * @param close called where it may not stay, because it is too late or (false) there are too many
   * @returns call it once the peer has proven itself or is gone
   */
  add(address: string, close: (late: boolean) => void): () => void {
    const entry: Entry = { address, close, timer: setTimeout(close, this.#ms, true) };
    this.#entries.add(entry);
    if (this.#entries.size > this.#max) {
      const victim = this.#oldestOfTheMost();
      this.#forget(victim);
      victim.close(false);
    }
    return () => this.#forget(entry);
  }

  #forget(entry: Entry): void {
    clearTimeout(entry.timer);
    this.#entries.delete(entry);
  }

  #oldestOfTheMost(): Entry {
    const counts = new Map<string, number>();
    for (const { address } of this.#entries) counts.set(address, (counts.get(address) ?? 0) + 1);
    const most = Math.max(...counts.values());
    return [...this.#entries].find(({ address }) => counts.get(address) === most) as Entry;
  }
}
