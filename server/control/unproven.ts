/** Concurrent connections of unproven peers, TLS handshakes included; one more pushes one out. */
const MAX_UNPROVEN = 16;
/** Longer than a proof or an answer of the control port may take. Deno 2.9 ignores node's own time limits for requests. */
const UNPROVEN_MS = 5_000;

/** The part of a socket that is used, or of the TLS socket on it: both have the same peer. */
export interface UnprovenSocket {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
  destroy(): unknown;
  once(event: "close", listener: () => void): unknown;
}

interface Entry {
  readonly socket: UnprovenSocket;
  readonly address: string;
  readonly timer: ReturnType<typeof setTimeout>;
}

/**
 * Connections to the control port whose peers have not proven that they hold the session's key. Anybody in the cluster can open them, as
 * many and as fast as they like. Few are kept, and none for long; the address with the most loses its oldest, so that a flood from one
 * address does not push the client out in the middle of its handshake.
 */
export class Unproven {
  /** By address and port, the oldest first. */
  readonly #entries = new Map<string, Entry>();

  /** Adds a connection that has just been accepted. */
  add(socket: UnprovenSocket): void {
    const peer = peerOf(socket);
    this.#entries.set(peer, { socket, address: socket.remoteAddress ?? "", timer: setTimeout(() => socket.destroy(), UNPROVEN_MS) });
    socket.once("close", () => this.#forget(peer));
    if (this.#entries.size <= MAX_UNPROVEN) return;
    const [oldest, { socket: victim }] = this.#oldestOfTheMost();
    this.#forget(oldest);
    victim.destroy();
  }

  /** Removes a connection whose peer has proven itself. @param socket the connection, or the TLS socket on it */
  delete(socket: Pick<UnprovenSocket, "remoteAddress" | "remotePort">): void {
    this.#forget(peerOf(socket));
  }

  #forget(peer: string): void {
    clearTimeout(this.#entries.get(peer)?.timer);
    this.#entries.delete(peer);
  }

  #oldestOfTheMost(): [string, Entry] {
    const counts = new Map<string, number>();
    for (const { address } of this.#entries.values()) counts.set(address, (counts.get(address) ?? 0) + 1);
    const most = Math.max(...counts.values());
    return [...this.#entries].find(([, { address }]) => counts.get(address) === most) as [string, Entry];
  }
}

function peerOf({ remoteAddress, remotePort }: Pick<UnprovenSocket, "remoteAddress" | "remotePort">): string {
  return `${remoteAddress} ${remotePort}`;
}
