/** Connections of unproven peers at once, TLS handshakes included; one more pushes one out. */
const MAX_UNPROVEN = 16;
/** Longer than a proof or an answer of the control port may take. */
const UNPROVEN_MS = 5_000;

interface Entry {
  readonly address: string;
  readonly close: () => void;
  readonly timer: ReturnType<typeof setTimeout>;
}

/**
 * Connections to the control port whose peers have not proven that they hold the session's key. Anybody in the cluster can open them, as
 * many and as fast as they like. Few are kept, and none for long; the address with the most loses its oldest, so that a flood from one
 * address does not push the client out in the middle of its handshake.
 */
export class Unproven {
  /** The oldest first. */
  readonly #entries = new Set<Entry>();

  /** Adds a connection that has just been accepted. @returns call it once the peer has proven itself or is gone */
  add(address: string, close: () => void): () => void {
    const entry: Entry = { address, close, timer: setTimeout(close, UNPROVEN_MS) };
    this.#entries.add(entry);
    if (this.#entries.size > MAX_UNPROVEN) {
      const victim = this.#oldestOfTheMost();
      this.#forget(victim);
      victim.close();
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
