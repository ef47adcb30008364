import type { Socket } from "node:net";
import type { Connection } from "./connection.ts";
import { adopt, isHeld, release } from "./read_buffers.ts";

/** Writes below this are not waited for, up to what a socket buffers (16 KiB). */
const SMALL_BYTES = 4 * 1024;

/**
 * A {@link Connection} over a socket of node:net or node:tls. It reads nothing before somebody asks, and pauses as soon as bytes arrive that
 * nobody asked for: a thousand unread callers must not fill the memory.
 */
export class SocketConnection implements Connection {
  readonly #socket: Socket;
  readonly #chunks: Uint8Array[] = [];
  #reading = false;
  #paused = false;
  #ended = false;
  #failure: Error | undefined;
  #reader: PromiseWithResolvers<Uint8Array | null> | undefined;

  /** @param socket with `allowHalfOpen`, where {@link closeWrite} is used */
  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("end", () => this.#end());
    socket.on("error", (error: Error) => this.#fail(error));
    socket.on("close", () => this.#fail(new Error("The connection was closed")));
  }

  read(): Promise<Uint8Array | null> {
    if (!this.#reading) {
      this.#reading = true;
      this.#socket.on("data", (bytes: Uint8Array) => this.#arrived(bytes));
      this.#socket.resume();
    }
    const bytes = this.#chunks.shift();
    if (bytes) {
      if (this.#paused && this.#chunks.length === 0) {
        this.#paused = false;
        this.#socket.resume();
      }
      return Promise.resolve(bytes);
    }
    if (this.#ended) return Promise.resolve(null);
    if (this.#failure) return Promise.reject(this.#failure);
    // A second reader gets the same bytes as the first: a refusal drains what a relay was about to read.
    this.#reader ??= Promise.withResolvers();
    return this.#reader.promise;
  }

  write(bytes: Uint8Array): void | Promise<void> {
    if (this.#failure) throw this.#failure;
    // Small bytes mostly leave at once, or wait in the socket: the next reader learns of a failure. A callback and a promise cost 2 µs.
    if (bytes.length < SMALL_BYTES && !this.#socket.writableNeedDrain && !isHeld(bytes)) return void this.#socket.write(bytes);
    return new Promise((resolve, reject) => {
      this.#socket.write(bytes, (error) => {
        release(bytes);
        error ? reject(this.#failure ?? error) : resolve();
      });
    });
  }

  closeWrite(): void {
    if (!this.#failure) this.#socket.end();
  }

  reset(): void {
    if (this.#socket.destroyed) return;
    // Only sockets without TLS can be reset.
    if ("getPeerCertificate" in this.#socket) this.#socket.destroy();
    else this.#socket.resetAndDestroy();
    this.#fail(new Error("The connection was reset here"));
  }

  /** Says whether it keeps the process alive. */
  holdProcess(hold: boolean): void {
    if (hold) this.#socket.ref();
    else this.#socket.unref();
  }

  #arrived(buffer: Uint8Array): void {
    // `slice` of a node Buffer is not a copy.
    const bytes = new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length);
    adopt(bytes);
    const reader = this.#reader;
    if (reader) {
      this.#reader = undefined;
      reader.resolve(bytes);
      return;
    }
    this.#chunks.push(bytes);
    if (this.#paused) return;
    this.#paused = true;
    this.#socket.pause();
  }

  #end(): void {
    this.#ended = true;
    this.#reader?.resolve(null);
    this.#reader = undefined;
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#reader?.reject(this.#failure);
    this.#reader = undefined;
  }
}
