import type { HttpConnection } from "./http1.ts";

/** Connections that wait for the next request. */
const MAX_IDLE = 8;
/** A connection that has waited longer is closed, in milliseconds: something in between may have forgotten it. */
const MAX_IDLE_MS = 60_000;
/** Nor is a POST sent on a connection that has waited longer than this: it could not be sent again. */
const MAX_IDLE_FOR_POST_MS = 5_000;

interface IdleConnection {
  readonly connection: HttpConnection;
  readonly identity: string;
  readonly since: number;
}

/** Connections whose answers were read to their end, kept for the next requests. */
export class IdleConnections {
  #idle: IdleConnection[] = [];

  /** One that the request may go over; those that it may not are closed. @param identity with whom TLS must say that we are */
  take(identity: string, method: string): HttpConnection | undefined {
    const now = performance.now();
    const longest = method === "POST" ? MAX_IDLE_FOR_POST_MS : MAX_IDLE_MS;
    for (let idle = this.#idle.pop(); idle; idle = this.#idle.pop()) {
      const { connection, since, identity: whose } = idle;
      if (whose === identity && connection.reusable && now - since <= longest) {
        connection.holdProcess(true);
        return connection;
      }
      connection.destroy();
    }
    return undefined;
  }

  /** Keeps one, or closes it where it cannot be used again or enough are kept. */
  keep(connection: HttpConnection, identity: string): void {
    if (!connection.reusable || this.#idle.length >= MAX_IDLE) return connection.destroy();
    connection.holdProcess(false);
    this.#idle.push({ connection, identity, since: performance.now() });
  }

  /** Closes all. */
  close(): void {
    for (const { connection } of this.#idle.splice(0)) connection.destroy();
  }
}
