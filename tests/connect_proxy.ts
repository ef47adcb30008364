/**
 * An HTTP proxy that supports CONNECT, for tests.
 *
 * @module
 */

/** Connects every client to anywhere, or only those with the right password. */
export class ConnectProxy implements Disposable {
  /** The targets of all CONNECT requests: `host:port`. */
  readonly asked: string[] = [];
  readonly #listener: Deno.Listener<Deno.Conn>;
  readonly #connections = new Set<Deno.Conn>();
  readonly #credentials: string | undefined;

  /**
   * @param options.credentials `user:password` that a client must have
   * @param options.resolve gives the address of names that do not exist
   * @param options.tls the certificate of a proxy that itself speaks TLS
   */
  constructor(
    options: {
      credentials?: string;
      resolve?: (host: string) => string;
      tls?: { certPem: string; keyPem: string };
    } = {},
  ) {
    this.#credentials = options.credentials;
    const listener = this.#listener = options.tls
      ? Deno.listenTls({ hostname: "127.0.0.1", port: 0, cert: options.tls.certPem, key: options.tls.keyPem })
      : Deno.listen({ hostname: "127.0.0.1", port: 0 });
    (async () => {
      for await (const conn of listener) this.#serve(conn, options.resolve ?? ((host) => host)).catch(() => this.#close(conn));
    })().catch(() => {});
  }

  get port(): number {
    return (this.#listener.addr as Deno.NetAddr).port;
  }

  [Symbol.dispose](): void {
    this.#listener.close();
    for (const conn of this.#connections) this.#close(conn);
  }

  #close(conn: Deno.Conn): void {
    if (this.#connections.delete(conn)) conn.close();
  }

  async #serve(conn: Deno.Conn, resolve: (host: string) => string): Promise<void> {
    this.#connections.add(conn);
    const head = await readHead(conn);
    const [, hostname, port] = /^CONNECT \[?(.*?)\]?:(\d+) HTTP\/1\.1\r\n/.exec(head) ?? [];
    if (hostname === undefined) return await this.#refuse(conn, "400 Only CONNECT");
    this.asked.push(`${hostname}:${port}`);
    if (this.#credentials !== undefined && !head.includes(`\r\nProxy-Authorization: Basic ${btoa(this.#credentials)}\r\n`)) {
      return await this.#refuse(conn, "407 Proxy Authentication Required");
    }
    const upstream = await Deno.connect({ hostname: resolve(hostname), port: Number(port) });
    this.#connections.add(upstream);
    await conn.write(new TextEncoder().encode("HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n"));
    await Promise.allSettled([this.#copy(conn, upstream), this.#copy(upstream, conn)]);
    this.#close(conn);
    this.#close(upstream);
  }

  async #refuse(conn: Deno.Conn, status: string): Promise<void> {
    await conn.write(new TextEncoder().encode(`HTTP/1.1 ${status}\r\nContent-Length: 0\r\n\r\n`));
    this.#close(conn);
  }

  async #copy(from: Deno.Conn, to: Deno.Conn): Promise<void> {
    const buffer = new Uint8Array(64 * 1024);
    try {
      for (let count; (count = await from.read(buffer)) !== null;) {
        for (let sent = 0; sent < count;) sent += await to.write(buffer.subarray(sent, count));
      }
      await to.closeWrite();
    } catch {
      this.#close(to);
    }
  }
}

async function readHead(conn: Deno.Conn): Promise<string> {
  const buffer = new Uint8Array(4096);
  let head = "";
  while (!head.includes("\r\n\r\n")) {
    const count = await conn.read(buffer);
    if (count === null) break;
    head += new TextDecoder().decode(buffer.subarray(0, count));
  }
  return head;
}
