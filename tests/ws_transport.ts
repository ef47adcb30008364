import { release } from "../tunnel/read_buffers.ts";
import { cutCloseReason, type Transport, type TransportEnd } from "../tunnel/transport.ts";

/** What is used of a WebSocket of npm's `ws`, at either end. */
export interface WebSocketLike {
  readonly bufferedAmount: number;
  send(data: Uint8Array, options: { binary: true; compress: false }, sent: (error?: Error) => void): void;
  close(code: number, reason: string): void;
  terminate(): void;
  on(event: "message", listener: (data: Uint8Array, isBinary: boolean) => void): void;
  on(event: "close", listener: (code: number, reason: Uint8Array) => void): void;
  on(event: "error", listener: (error: Error) => void): void;
}

/** How long a close may wait for the other side's close frame. */
const CLOSE_GRACE_MS = 1_000;

/** A {@link Transport} over an open WebSocket of npm's `ws`: the reference that the tunnel's own WebSocket is tested against. */
export class WsTransport implements Transport {
  onmessage: ((part: Uint8Array, last: boolean) => void) | undefined;
  ondrain: (() => void) | undefined;
  onclose: ((end: TransportEnd) => void) | undefined;
  readonly #socket: WebSocketLike;
  #closing = false;
  #ended: TransportEnd | undefined;

  constructor(socket: WebSocketLike) {
    this.#socket = socket;
    socket.on("message", (data, isBinary) => {
      if (isBinary) {
        this.onmessage?.(data, true);
      } else this.close(1003, "only binary messages are understood");
    });
    socket.on("error", () => this.#closing = true);
    socket.on("close", (code, reason) => {
      this.#closing = true;
      this.#ended = { code, reason: new TextDecoder().decode(reason) };
      this.onclose?.(this.#ended);
    });
  }

  get buffered(): number {
    return this.#socket.bufferedAmount;
  }

  get ended(): TransportEnd | undefined {
    return this.#ended;
  }

  send(message: Uint8Array): void {
    if (!this.#closing) this.#socket.send(message.slice(), { binary: true, compress: false }, () => this.ondrain?.());
    release(message);
  }

  close(code: number, reason: string): void {
    if (this.#closing) return;
    this.#closing = true;
    this.#socket.close(code, cutCloseReason(reason));
    setTimeout(() => this.#socket.terminate(), CLOSE_GRACE_MS);
  }

  destroy(): void {
    this.#closing = true;
    this.#socket.terminate();
  }
}
