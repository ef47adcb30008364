import type { Connection } from "../tunnel/mod.ts";

/** What a read may bring; it grows with what arrives, so that a thousand idle connections take 4 MiB and a bulk one reads quickly. */
const LEAST_READ_BYTES = 4 * 1024;
const MOST_READ_BYTES = 64 * 1024;
/** Reads below this are copied and their buffer used again. */
const COPY_BYTES = 16 * 1024;

/** A {@link Connection} over a TCP connection of Deno's own, which has half-close on every version (node:net's has not before 2.8). */
export class TcpConnection implements Connection {
  readonly #socket: Deno.TcpConn;
  #buffer = new Uint8Array(LEAST_READ_BYTES);
  #closed = false;
  #ended = 0;

  constructor(socket: Deno.TcpConn) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.setKeepAlive(true);
  }

  async read(): Promise<Uint8Array | null> {
    const buffer = this.#buffer;
    const size = await this.#socket.read(buffer);
    if (size === null) {
      this.#directionEnded();
      return null;
    }
    if (size < COPY_BYTES) {
      if (size === buffer.length) this.#buffer = new Uint8Array(buffer.length * 4);
      return buffer.slice(0, size);
    }
    const next = size === buffer.length ? size * 4 : size;
    this.#buffer = new Uint8Array(Math.min(MOST_READ_BYTES, Math.max(LEAST_READ_BYTES, next)));
    return buffer.subarray(0, size);
  }

  async write(bytes: Uint8Array): Promise<void> {
    let at = await this.#socket.write(bytes);
    while (at < bytes.length) at += await this.#socket.write(bytes.subarray(at));
  }

  closeWrite(): void {
    this.#socket.closeWrite().catch(() => {}).finally(() => this.#directionEnded());
  }

  reset(): void {
    this.#close();
  }

  #directionEnded(): void {
    if (++this.#ended === 2) this.#close();
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.close();
  }
}
