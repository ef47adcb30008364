import type { HttpConnection } from "./http1.ts";

/** How many idle connections are kept. */
const MAX_IDLE = 8;
/** A connection that was idle for longer is closed, in milliseconds: a NAT or a proxy may have dropped it. */
const MAX_IDLE_MS = 60_000;
/** A POST is not sent on a connection that was idle for longer, in milliseconds: it could not be repeated if that fails. */
const MAX_IDLE_FOR_POST_MS = 5_000;

/** Idle connections, kept for the next requests. */
export class IdleConnections {
  readonly #idle: { readonly connection: HttpConnection; readonly identity: string; readonly since: number }[] = [];

  /**
   * A connection that the request may use; unusable ones are closed.
   *
   * @param identity that of the connection must be the same
   */
  take(identity: string, method: string): HttpConnection | undefined {
    const now = performance.now();
    const longest = method === "POST" ? MAX_IDLE_FOR_POST_MS : MAX_IDLE_MS;
    for (let idle = this.#idle.pop(); idle; idle = this.#idle.pop()) {
      const { connection, since } = idle;
      if (idle.identity !== identity || !connection.reusable || now - since > longest) connection.destroy();
      else {
        connection.holdProcess(true);
        return connection;
      }
    }
    return undefined;
  }

  /** Keeps a connection, or closes it if it cannot be reused or enough are kept. */
  keep(connection: HttpConnection, identity: string): void {
    if (!connection.reusable || this.#idle.length >= MAX_IDLE) return connection.destroy();
    connection.holdProcess(false);
    this.#idle.push({ connection, identity, since: performance.now() });
  }

  /** Closes all connections. */
  close(): void {
    for (const { connection } of this.#idle.splice(0)) connection.destroy();
  }
}
