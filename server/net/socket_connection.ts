import type { Socket } from "node:net";
import type { Connection } from "../../tunnel/mod.ts";

/**
 * A {@link Connection} over a socket of node:net or node:tls with `allowHalfOpen`. It reads nothing before somebody asks, and pauses as
 * soon as bytes arrive that nobody asked for: a thousand unread callers must not fill the memory.
 */
export class SocketConnection implements Connection {
  readonly #socket: Socket;
  readonly #chunks: Uint8Array[] = [];
  #reading = false;
  #paused = false;
  #ended = false;
  #failure: Error | undefined;
  #reader: PromiseWithResolvers<Uint8Array | null> | undefined;
  #drained: PromiseWithResolvers<void> | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("end", () => this.#end());
    socket.on("drain", () => this.#drain());
    socket.on("error", (error: Error) => this.#fail(error));
    socket.on("close", () => this.#fail(new Error("The connection was closed")));
  }

  read(): Promise<Uint8Array | null> {
    if (!this.#reading) {
      this.#reading = true;
      this.#socket.on("data", (bytes: Uint8Array) => this.#arrived(bytes));
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
    if (this.#socket.write(bytes)) return;
    this.#drained ??= Promise.withResolvers();
    return this.#drained.promise;
  }

  closeWrite(): void {
    if (!this.#failure) this.#socket.end();
  }

  reset(): void {
    if (this.#socket.destroyed) return;
    this.#socket.resetAndDestroy();
    this.#fail(new Error("The connection was reset here"));
  }

  #arrived(bytes: Uint8Array): void {
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

  #drain(): void {
    this.#drained?.resolve();
    this.#drained = undefined;
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#reader?.reject(this.#failure);
    this.#reader = undefined;
    this.#drained?.reject(this.#failure);
    this.#drained = undefined;
  }
}
