import type { Connection } from "../connection.ts";
import { isHeld, READ_BYTES, release, takeReadBuffer, withRoomBefore } from "../read_buffers.ts";
import { cutCloseReason, type Transport, type TransportEnd } from "../transport.ts";
import {
  applyMask,
  CloseCode,
  encodeClose,
  frameHeaderBytes,
  Opcode,
  randomMaskingKey,
  WebSocketError,
  writeFrameHeader,
} from "./frame.ts";
import { type FrameLimits, FrameReader } from "./frame_reader.ts";

/** How a {@link WebSocketTransport} speaks. */
export interface WebSocketOptions {
  /** A client masks what it sends, and a server reads what is masked (RFC 6455, 5.1). */
  readonly role: "client" | "server";
  readonly limits: FrameLimits;
  /**
   * Makes a client's masking keys, of 32 bits. Masks guard plain-text proxies (RFC 6455, 10.3). Within TLS a key of zeros will do, which
   * costs nothing at either end; others take two thirds of the throughput. @default {random keys}
   */
  readonly maskingKey?: () => number;
}

/** How long a close may wait for the other side's close frame, or for its end of the connection. */
const CLOSE_GRACE_MS = 1_000;

/** Frames that wait to be written, one behind the other in a buffer. */
interface Chunk {
  readonly bytes: Uint8Array;
  /** How much of it they take; all of it is a message that was handed over, and nothing is added to it. */
  used: number;
}

/**
 * A {@link Transport} over a WebSocket (RFC 6455) whose opening handshake is done: one binary message each. Messages that are sent while a
 * write is under way are gathered and leave as one write; those that are handed over leave from where they are.
 */
export class WebSocketTransport implements Transport {
  onmessage: ((part: Uint8Array, last: boolean) => void) | undefined;
  ondrain: (() => void) | undefined;
  onclose: ((end: TransportEnd) => void) | undefined;
  readonly #connection: Connection;
  readonly #maskingKey: (() => number) | undefined;
  readonly #reader: FrameReader;
  readonly #queue: Chunk[] = [];
  #buffered = 0;
  #writing = false;
  /** The payload of the last ping that was not answered: only the last needs to be (RFC 6455, 5.5.3), so that pings pile nothing up. */
  #ping: Uint8Array | undefined;
  #closing = false;
  #peerClosed: TransportEnd | undefined;
  #broken: TransportEnd | undefined;
  #grace: ReturnType<typeof setTimeout> | undefined;
  #ended: TransportEnd | undefined;

  /** @param connection its reads are released at once, as a NativeConnection that copies nothing wants it */
  constructor(connection: Connection, options: WebSocketOptions) {
    this.#connection = connection;
    this.#maskingKey = options.role === "client" ? options.maskingKey ?? randomMaskingKey : undefined;
    this.#reader = new FrameReader(
      {
        message: (part, last) => this.onmessage?.(part, last),
        ping: (payload) => this.#pinged(payload),
        pong: () => {},
        close: (code, reason) => this.#closedByPeer({ code, reason }),
      },
      options.role === "server",
      options.limits,
    );
    // Not before whoever made us has set the callbacks.
    queueMicrotask(() => void this.#read());
  }

  get buffered(): number {
    return this.#buffered;
  }

  get ended(): TransportEnd | undefined {
    return this.#ended;
  }

  send(message: Uint8Array): void {
    if (this.#closing) return release(message);
    if (isHeld(message)) this.#passOn(message);
    else this.#gather(Opcode.binary, message);
    this.#write();
  }

  #passOn(message: Uint8Array): void {
    const bytes = withRoomBefore(message, frameHeaderBytes(message.length, this.#maskingKey !== undefined));
    const mask = this.#maskingKey?.();
    writeFrameHeader(bytes, 0, Opcode.binary, message.length, mask);
    if (mask) applyMask(message, mask, 0);
    this.#queue.push({ bytes, used: bytes.length });
    this.#buffered += bytes.length;
  }

  close(code: number, reason: string): void {
    if (this.#closing) return;
    this.#sendClose(encodeClose(code, cutCloseReason(reason)));
  }

  destroy(): void {
    this.#finish();
  }

  /** Never rejects, unless a receiver throws, which is a bug. */
  async #read(): Promise<void> {
    try {
      for (;;) {
        const bytes = await this.#connection.read().catch(() => null);
        if (bytes === null) break;
        this.#received(bytes);
        release(bytes);
      }
    } finally {
      this.#finish();
    }
  }

  #received(bytes: Uint8Array): void {
    if (this.#ended || this.#broken) return;
    try {
      this.#reader.push(bytes);
    } catch (error) {
      if (!(error instanceof WebSocketError)) throw error;
      // The peer is told by the code. For us the connection broke: the peer has closed nothing.
      this.#broken = { code: CloseCode.abnormal, reason: error.message };
      if (this.#closing) this.destroy();
      else this.#sendClose(encodeClose(error.code, cutCloseReason(error.message)));
    }
  }

  #pinged(payload: Uint8Array): void {
    if (this.#closing) return;
    this.#ping = payload.slice();
    this.#write();
  }

  #closedByPeer(end: TransportEnd): void {
    this.#peerClosed = end;
    if (this.#closing) this.#afterClose();
    else this.#sendClose(end.code === CloseCode.noStatus ? new Uint8Array(0) : encodeClose(end.code, ""));
  }

  #sendClose(payload: Uint8Array): void {
    this.#answerPing();
    this.#closing = true;
    this.#gather(Opcode.close, payload);
    this.#grace = setTimeout(() => this.destroy(), CLOSE_GRACE_MS);
    this.#write();
  }

  /** Ends the connection once both sides have said their close, or the peer is not listened to any more. */
  #afterClose(): void {
    if (this.#closing && !this.#writing && (this.#broken || this.#peerClosed)) this.#finish();
  }

  #answerPing(): void {
    const payload = this.#ping;
    this.#ping = undefined;
    if (payload) this.#gather(Opcode.pong, payload);
  }

  #gather(opcode: number, payload: Uint8Array): void {
    const header = frameHeaderBytes(payload.length, this.#maskingKey !== undefined);
    const size = header + payload.length;
    let chunk = this.#queue[this.#queue.length - 1];
    if (!chunk || chunk.used + size > chunk.bytes.length) {
      chunk = { bytes: size > READ_BYTES ? new Uint8Array(size) : takeReadBuffer(), used: 0 };
      this.#queue.push(chunk);
    }
    const { bytes, used } = chunk;
    const mask = this.#maskingKey?.();
    const at = writeFrameHeader(bytes, used, opcode, payload.length, mask);
    bytes.set(payload, at);
    if (mask) applyMask(bytes.subarray(at, at + payload.length), mask, 0);
    chunk.used += size;
    this.#buffered += size;
  }

  #write(): void {
    // A write that fails ends the WebSocket, as one does on a connection that was closed here.
    if (!this.#writing && !this.#ended) this.#drain().catch(() => this.#finish());
  }

  /** Writes until nothing waits. */
  async #drain(): Promise<void> {
    this.#writing = true;
    for (;;) {
      if (this.#ping) this.#answerPing();
      const chunk = this.#queue.shift();
      if (!chunk) break;
      const { bytes, used } = chunk;
      release(bytes.subarray(used));
      await this.#connection.write(used === bytes.length ? bytes : bytes.subarray(0, used));
      if (this.#ended) return;
      this.#buffered -= used;
      this.ondrain?.();
    }
    this.#writing = false;
    this.#afterClose();
  }

  #finish(): void {
    if (this.#ended) return;
    this.#closing = true;
    const end = this.#peerClosed ?? this.#broken ?? { code: CloseCode.abnormal, reason: "" };
    this.#ended = end;
    clearTimeout(this.#grace);
    this.#queue.length = 0;
    this.#buffered = 0;
    this.#connection.reset();
    queueMicrotask(() => this.onclose?.(end));
  }
}
