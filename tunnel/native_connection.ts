import type { Connection, SmallSink } from "./connection.ts";
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

/** Options of a {@link NativeConnection}. */
export interface NativeOptions {
  /** Smaller reads are copied, so that a slow reader of a few bytes holds no buffer; 0 for a reader that releases at once. */
  readonly copyBelow?: number | undefined;
  /** Sends what leaves without waiting. @returns how many bytes did; 0 or less if none */
  readonly sendNow?: ((bytes: Uint8Array) => number) | undefined;
  /** Breaks the connection before a reset closes it, where closing it is not enough. */
  readonly cut?: (() => void) | undefined;
  /** Called before the socket is closed: afterwards its number may be another one's. */
  readonly closing?: (() => void) | undefined;
}

/** A {@link Connection} over the runtime's own, whose half-close works on every version (that of node:net needs Deno 2.8). */
export class NativeConnection implements Connection {
  readonly #socket: NativeSocket;
  readonly #options: NativeOptions;
  readonly #copyBelow: number;
  #buffer: Uint8Array = new Uint8Array(SMALL_BYTES);
  #reading: Promise<Uint8Array | null> | undefined;
  /** Holds small bytes while they are sent. */
  #small: Uint8Array | undefined;
  /** Settles when what is being sent has left, or failed. */
  #sending: Promise<void> | undefined;
  /** Writes that are under way or wait; {@link #sending} is cleared when none is left. */
  #writes = 0;
  #failure: Error | undefined;
  #readEnded = false;
  #writeEnded = false;
  #closed = false;
  readonly #gone = Promise.withResolvers<void>();

  constructor(socket: NativeSocket, options: NativeOptions = {}) {
    this.#socket = socket;
    this.#options = options;
    this.#copyBelow = options.copyBelow ?? COPY_BYTES;
  }

  /** A second reader gets the same bytes as the first: a refusal drains what a relay was about to read. */
  read(): Promise<Uint8Array | null> {
    return this.#reading ??= this.#read();
  }

  readSmall(take: SmallSink): Promise<Uint8Array | null> {
    return this.#reading ??= this.#read(take);
  }

  async write(bytes: Uint8Array): Promise<void> {
    await this.#start(bytes);
    if (this.#failure) throw this.#failure;
    release(bytes);
  }

  /** Small bytes mostly leave at once, or wait in the socket: nobody waits for them, and the next reader or writer learns of a failure. */
  writeSmall(bytes: Uint8Array): void | Promise<void> {
    if (this.#failure) throw this.#failure;
    if (this.#sending || this.#closed) return this.write(bytes.slice());
    const sent = Math.max(0, this.#options.sendNow?.(bytes) ?? 0);
    if (sent === bytes.length) return;
    if (bytes.length - sent > SMALL_BYTES) return this.write(bytes.slice(sent));
    this.#small ??= new Uint8Array(SMALL_BYTES);
    this.#small.set(sent === 0 ? bytes : bytes.subarray(sent));
    void this.#start(this.#small.subarray(0, bytes.length - sent));
  }

  closeWrite(): void {
    void this.#closeWrite();
  }

  reset(): void {
    if (this.#closed) return;
    this.#options.cut?.();
    this.#close();
  }

  /** Resolves once it is closed: both directions have ended and everything has been sent, or it was reset. */
  get gone(): Promise<void> {
    return this.#gone.promise;
  }

  /** Says whether it keeps the process alive. */
  holdProcess(hold: boolean): void {
    if (hold) this.#socket.ref?.();
    else this.#socket.unref?.();
  }

  async #read(take?: SmallSink): Promise<Uint8Array | null> {
    try {
      while (!this.#readEnded) {
        const buffer = this.#buffer;
        const size = await this.#socket.read(buffer);
        if (size === null) {
          // A write that met the other side's reset has taken the error; the read then looks like a clean end.
          if (this.#failure) throw this.#failure;
          break;
        }
        if (size >= this.#copyBelow) {
          this.#buffer = takeReadBuffer();
          release(buffer.subarray(size));
          return buffer.subarray(0, size);
        }
        if (size === SMALL_BYTES && buffer.length === SMALL_BYTES) this.#buffer = takeReadBuffer();
        const taken = take ? take(buffer.subarray(0, size)) : false;
        if (taken === false) return buffer.slice(0, size);
        if (taken) await taken;
      }
    } finally {
      this.#reading = undefined;
    }
    this.#readEnded = true;
    if (this.#writeEnded) this.#close();
    return null;
  }

  /** Sends bytes behind what is being sent. Never rejects. */
  #start(bytes: Uint8Array): Promise<void> {
    this.#writes++;
    const sending = this.#send(bytes, this.#sending);
    // A write that throws at once is over already.
    if (this.#writes > 0) this.#sending = sending;
    return sending;
  }

  /** Never rejects. */
  async #send(bytes: Uint8Array, before: Promise<void> | undefined): Promise<void> {
    if (before) await before;
    try {
      let at = await this.#socket.write(bytes);
      while (at < bytes.length) at += await this.#socket.write(bytes.subarray(at));
    } catch (error) {
      this.#failure = error as Error;
    }
    if (--this.#writes === 0) this.#sending = undefined;
  }

  /** Never rejects. */
  async #closeWrite(): Promise<void> {
    while (this.#sending) await this.#sending;
    await this.#socket.closeWrite().catch(() => {});
    this.#writeEnded = true;
    if (this.#readEnded) this.#close();
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#options.closing?.();
    this.#socket.close();
    this.#gone.resolve();
  }
}
