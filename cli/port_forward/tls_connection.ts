import { Buffer } from "node:buffer";
import { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import type { Connection } from "../../tunnel/mod.ts";

/** Records up to this size leave without a promise, where the connection below can do that. */
const SMALL_BYTES = 4 * 1024;

/**
 * The inside of a TLS connection, over any other connection.
 *
 * node:tls does the cryptography and nothing else. When it owns the socket, on Deno 2.9, it takes a reset for a clean end, loses the end of
 * a stream whose reader is slow, and keeps reading however slow the reader is. Here it gets only what is read from below when somebody asks
 * for more: a slow reader slows the other side down, and what broke below breaks above.
 */
export class TlsConnection implements Connection {
  readonly #below: Connection;
  readonly #under: Duplex;
  readonly #tls: TLSSocket;
  readonly #chunks: Uint8Array[] = [];
  readonly #secure = Promise.withResolvers<void>();
  #reader: PromiseWithResolvers<Uint8Array | null> | undefined;
  #pulling = false;
  #ended = false;
  #writeEnded = false;
  #failure: Error | undefined;
  #sent: Promise<void> = Promise.resolve();

  /** @param start starts the TLS of either side on the given stream, which has `allowHalfOpen` */
  constructor(below: Connection, start: (under: Duplex) => TLSSocket) {
    this.#below = below;
    this.#under = new Duplex({
      allowHalfOpen: true,
      read: () => {},
      write: (bytes: Uint8Array, _encoding, done) => {
        const send = below.writeSmall && bytes.length <= SMALL_BYTES ? () => below.writeSmall?.(bytes) : () => below.write(bytes);
        this.#sent = this.#sent.then(send).catch((error) => this.#fail(error));
        done();
      },
    });
    this.#secure.promise.catch(() => {});
    this.#tls = start(this.#under);
    this.#tls.on("data", (bytes: Uint8Array) => this.#arrived(bytes));
    this.#tls.on("end", () => this.#end());
    this.#tls.on("error", (error: Error) => this.#fail(error));
    // Only this event reports a server's handshake that fails.
    this.#tls.on("_tlsError", (error: Error) => this.#fail(error));
    for (const event of ["secure", "secureConnect"]) this.#tls.on(event, () => this.#secure.resolve());
  }

  /** Waits for the handshake. @returns the protocol that was negotiated (ALPN, RFC 7301), where one was @throws what failed */
  async handshake(): Promise<string | undefined> {
    let done = false;
    this.#secure.promise.then(() => done = true, () => done = true);
    void this.#pull(() => !done);
    await this.#secure.promise;
    return this.#tls.alpnProtocol || undefined;
  }

  read(): Promise<Uint8Array | null> {
    const bytes = this.#chunks.shift();
    if (bytes) return Promise.resolve(bytes);
    if (this.#ended) return Promise.resolve(null);
    if (this.#failure) return Promise.reject(this.#failure);
    // A second reader gets the same bytes as the first, as in SocketConnection.
    if (this.#reader) return this.#reader.promise;
    this.#reader = Promise.withResolvers();
    void this.#pull(() => this.#reader !== undefined);
    return this.#reader.promise;
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.#failure) throw this.#failure;
    // Once node:tls has taken the bytes, everything they became is in #sent.
    await new Promise((resolve) => this.#tls.write(bytes, resolve));
    await this.#sent;
  }

  closeWrite(): void {
    if (this.#writeEnded || this.#failure) return;
    this.#writeEnded = true;
    this.#tls.end(() => {
      this.#sent.then(() => this.#below.closeWrite()).catch((error) => this.#fail(error));
    });
  }

  reset(): void {
    // Both sides have ended: what is still under way must not be dropped.
    if (this.#ended && this.#writeEnded) return;
    this.#below.reset();
    this.#fail(new Error("The connection was reset here"));
    this.#tls.destroy();
  }

  /** Reads from below as long as it is wanted. Never rejects: what breaks below fails the connection. */
  async #pull(wanted: () => boolean): Promise<void> {
    if (this.#pulling) return;
    this.#pulling = true;
    try {
      while (wanted() && !this.#ended && !this.#failure) {
        const bytes = await this.#below.read();
        if (bytes === null) {
          await new Promise((resolve) => setTimeout(resolve, 0));
          // What arrived may be half of what was meant (RFC 8446, 6.1).
          if (!this.#ended) this.#fail(new Error("the connection ended without a TLS close_notify"));
        } else {
          this.#under.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
          // node:tls may hand on the content one turn later.
          if (wanted()) await Promise.resolve();
        }
      }
    } catch (error) {
      this.#fail(error as Error);
    } finally {
      this.#pulling = false;
    }
    if (this.#reader && !this.#ended && !this.#failure) void this.#pull(() => this.#reader !== undefined);
  }

  #arrived(bytes: Uint8Array): void {
    const reader = this.#reader;
    this.#reader = undefined;
    if (reader) reader.resolve(bytes);
    else this.#chunks.push(bytes);
  }

  #end(): void {
    this.#ended = true;
    this.#reader?.resolve(null);
    this.#reader = undefined;
    this.#secure.reject(new Error("the connection ended during the TLS handshake"));
    void this.#awaitEndBelow();
  }

  /** Reads the end below, which follows the one above: without it the connection below never ends. Never rejects. */
  async #awaitEndBelow(): Promise<void> {
    try {
      while (await this.#below.read() !== null);
    } catch {
      // It has ended by breaking.
    }
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#secure.reject(this.#failure);
    this.#reader?.reject(this.#failure);
    this.#reader = undefined;
  }
}
