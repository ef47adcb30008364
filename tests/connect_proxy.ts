/**
 * A proxy for tests: HTTP with CONNECT, and SOCKS 5, on one port.
 *
 * @module
 */

/** Connects every client to anywhere, or only those with the right password. */
export class ConnectProxy implements Disposable {
  /** The targets that were asked for, as `host:port`. */
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
    const first = await readSome(conn);
    if (first[0] === 5) return await this.#serveSocks(conn, first, resolve);
    const head = await readHead(conn, first);
    const [, hostname, port] = /^CONNECT \[?(.*?)\]?:(\d+) HTTP\/1\.1\r\n/.exec(head) ?? [];
    if (hostname === undefined) return await this.#refuse(conn, "400 Only CONNECT");
    this.asked.push(`${hostname}:${port}`);
    if (this.#credentials !== undefined && !head.includes(`\r\nProxy-Authorization: Basic ${btoa(this.#credentials)}\r\n`)) {
      return await this.#refuse(conn, "407 Proxy Authentication Required");
    }
    const opened = new TextEncoder().encode("HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n");
    await this.#connect(conn, { hostname: resolve(hostname), port: Number(port) }, opened);
  }

  /** RFC 1928 and 1929, a message a read: the client waits for each answer. */
  async #serveSocks(conn: Deno.Conn, greeting: Uint8Array, resolve: (host: string) => string): Promise<void> {
    const answer = (...bytes: number[]) => conn.write(new Uint8Array(bytes));
    const method = this.#credentials === undefined ? 0 : 2;
    // In two pieces, as a network may deliver them.
    await answer(5);
    await new Promise((resolve) => setTimeout(resolve, 5));
    if (!greeting.subarray(2).includes(method)) return void await answer(0xff);
    await answer(method);
    if (method === 2) {
      const [, size = 0, ...rest] = await readSome(conn);
      const text = (bytes: readonly number[]) => new TextDecoder().decode(new Uint8Array(bytes));
      const right = `${text(rest.slice(0, size))}:${text(rest.slice(size + 1))}` === this.#credentials;
      await answer(1, right ? 0 : 1);
      if (!right) return;
    }
    const request = await readSome(conn);
    const port = request.at(-2)! * 256 + request.at(-1)!;
    const address = [...request.subarray(4, -2)];
    const words = Array.from({ length: 8 }, (_, at) => (address[2 * at]! * 256 + address[2 * at + 1]!).toString(16));
    const host = request[3] === 1
      ? address.join(".")
      : request[3] === 4
      ? new URL(`http://[${words.join(":")}]`).hostname.slice(1, -1)
      : new TextDecoder().decode(new Uint8Array(address.slice(1)));
    this.asked.push(`${host}:${port}`);
    await this.#connect(conn, { hostname: resolve(host), port }, new Uint8Array([5, 0, 0, 3, 1, 0x78, 0, 0]));
  }

  async #connect(conn: Deno.Conn, to: { hostname: string; port: number }, opened: Uint8Array): Promise<void> {
    const upstream = await Deno.connect(to);
    this.#connections.add(upstream);
    await conn.write(opened);
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

async function readHead(conn: Deno.Conn, first: Uint8Array): Promise<string> {
  let head = new TextDecoder().decode(first);
  while (!head.includes("\r\n\r\n")) {
    const more = await readSome(conn);
    if (more.length === 0) break;
    head += new TextDecoder().decode(more);
  }
  return head;
}

async function readSome(conn: Deno.Conn): Promise<Uint8Array> {
  const buffer = new Uint8Array(4096);
  return buffer.subarray(0, await conn.read(buffer) ?? 0);
}
