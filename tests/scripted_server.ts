/**
 * An HTTP server whose every byte is decided by the test: answers that are cut off, late or wrong.
 *
 * @module
 */

/** A received request. */
export interface ScriptedRequest {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  /** Header values by lower-case name; several values are joined by a line break. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** The number of its connection, from 1. */
  readonly connection: number;
}

/** What a handler can do with its connection. */
export interface ScriptedReply {
  /** Sends these bytes unchanged. */
  write(text: string): Promise<void>;
  bytes(part: Uint8Array): Promise<void>;
  /** Sends a complete answer with a Content-Length. */
  json(status: number, body: unknown, headers?: Record<string, string>): Promise<void>;
  /** Closes the connection. */
  close(): void;
}

/** Listens on a free port until it is disposed. */
export class ScriptedServer implements Disposable {
  readonly requests: ScriptedRequest[] = [];
  readonly #listener: Deno.TcpListener;
  readonly #connections = new Set<Deno.Conn>();
  /** How many connections were accepted. */
  connections = 0;
  #waiting: (() => void)[] = [];

  constructor(handle: (request: ScriptedRequest, reply: ScriptedReply) => unknown) {
    const listener = this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    (async () => {
      for await (const conn of listener) {
        const number = ++this.connections;
        this.#connections.add(conn);
        this.#serve(conn, number, handle).catch(() => {}).finally(() => this.#close(conn));
      }
    })().catch(() => {});
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  /** How many connections are open. */
  get open(): number {
    return this.#connections.size;
  }

  /** Closes every open connection, like a server whose keep-alive time is over. */
  closeConnections(): void {
    for (const conn of this.#connections) this.#close(conn);
  }

  /** Waits until no connection is open. */
  async allClosed(): Promise<void> {
    while (this.#connections.size > 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  [Symbol.dispose](): void {
    this.#listener.close();
    this.closeConnections();
  }

  #close(conn: Deno.Conn): void {
    if (!this.#connections.delete(conn)) return;
    conn.close();
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  async #serve(conn: Deno.Conn, connection: number, handle: (request: ScriptedRequest, reply: ScriptedReply) => unknown) {
    const decoder = new TextDecoder("latin1");
    const chunk = new Uint8Array(64 * 1024);
    let waiting = "";
    while (true) {
      let end: number;
      let length = 0;
      let headers: Record<string, string> = {};
      while ((end = waiting.indexOf("\r\n\r\n")) < 0 || waiting.length < end + 4 + (length = bodyLength(headers = parseHeaders(waiting)))) {
        const count = await conn.read(chunk);
        if (count === null) return;
        waiting += decoder.decode(chunk.subarray(0, count));
      }
      const [method = "", target = ""] = waiting.split(" ", 2);
      const request = { method, target, headers, body: waiting.slice(end + 4, end + 4 + length), connection };
      waiting = waiting.slice(end + 4 + length);
      this.requests.push(request);
      await handle(request, this.#reply(conn));
    }
  }

  #reply(conn: Deno.Conn): ScriptedReply {
    const bytes = async (part: Uint8Array) => {
      for (let sent = 0; sent < part.length;) sent += await conn.write(part.subarray(sent));
    };
    const write = (text: string) => bytes(new TextEncoder().encode(text));
    return {
      bytes,
      write,
      json: (status, body, headers = {}) => {
        const text = JSON.stringify(body);
        const lines = Object.entries({ "Content-Type": "application/json", ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
        const length = new TextEncoder().encode(text).length;
        return write(`HTTP/1.1 ${status} Whatever\r\n${lines.join("")}Content-Length: ${length}\r\n\r\n${text}`);
      },
      close: () => this.#close(conn),
    };
  }
}

function parseHeaders(text: string): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const line of text.slice(0, text.indexOf("\r\n\r\n")).split("\r\n").slice(1)) {
    const colon = line.indexOf(":");
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    headers[name] = headers[name] === undefined ? value : `${headers[name]}\n${value}`;
  }
  return headers;
}

function bodyLength(headers: Record<string, string>): number {
  return Number(headers["content-length"] ?? 0);
}
