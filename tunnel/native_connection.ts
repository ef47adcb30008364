import type { Connection } from "./connection.ts";
import { release, takeReadBuffer } from "./read_buffers.ts";

/** A connection's first buffer: a thousand idle connections take 4 MiB. Once a read fills it, the next reads get large buffers. */
const SMALL_BYTES = 4 * 1024;
/** Reads below this are copied, and their buffer is reused. */
const COPY_BYTES = 16 * 1024;

/** A runtime's own TCP or TLS connection, such as Deno's `TcpConn` and `TlsConn`. */
export interface NativeSocket {
  /** Reads into the start of `into`. @returns how many bytes, or null at the end */
  read(into: Uint8Array): Promise<number | null>;
  /** Sends some of the bytes. @returns how many */
  write(bytes: Uint8Array): Promise<number>;
  closeWrite(): Promise<void>;
  close(): void;
  ref?(): void;
  unref?(): void;
}

/** A {@link Connection} over the runtime's own, whose half-close works on every version (that of node:net needs Deno 2.8). */
export class NativeConnection implements Connection {
  readonly #socket: NativeSocket;
  readonly #copyBelow: number;
  readonly #close: () => void;
  #buffer: Uint8Array = new Uint8Array(SMALL_BYTES);
  #closed = false;
  #ended = 0;

  /**
   * @param copyBelow smaller reads are copied, so that a slow reader of a few bytes holds no buffer; 0 for a reader that releases at once
   * @param close ends the socket, if it takes more than its own `close()`
   */
  constructor(socket: NativeSocket, copyBelow = COPY_BYTES, close = () => socket.close()) {
    this.#socket = socket;
    this.#copyBelow = copyBelow;
    this.#close = close;
  }

  async read(): Promise<Uint8Array | null> {
    const buffer = this.#buffer;
    const size = await this.#socket.read(buffer);
    if (size === null) {
      this.#directionEnded();
      return null;
    }
    if (size >= this.#copyBelow) {
      this.#buffer = takeReadBuffer();
      release(buffer.subarray(size));
      return buffer.subarray(0, size);
    }
    if (size === SMALL_BYTES && buffer.length === SMALL_BYTES) this.#buffer = takeReadBuffer();
    return buffer.slice(0, size);
  }

  async write(bytes: Uint8Array): Promise<void> {
    let at = await this.#socket.write(bytes);
    while (at < bytes.length) at += await this.#socket.write(bytes.subarray(at));
    release(bytes);
  }

  closeWrite(): void {
    this.#socket.closeWrite().catch(() => {}).finally(() => this.#directionEnded());
  }

  reset(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#close();
  }

  /** Says whether it keeps the process alive. */
  holdProcess(hold: boolean): void {
    if (hold) this.#socket.ref?.();
    else this.#socket.unref?.();
  }

  #directionEnded(): void {
    if (++this.#ended === 2) this.reset();
  }
}
