import { applyMask, CloseCode, decodeClose, MAX_CONTROL_BYTES, MAX_HEADER_BYTES, Opcode, WebSocketError } from "./frame.ts";

/** What a {@link FrameReader} accepts. */
export interface FrameLimits {
  /** The most bytes of a message, all its fragments together. */
  readonly messageBytes: number;
  /** The most fragments of a message, empty ones included. */
  readonly fragments: number;
}

/** Takes what a {@link FrameReader} finds. Payloads are views of the bytes pushed, or of the reader's own: valid during the call alone. */
export interface FrameSink {
  /** The next bytes of a binary message; `last` with its end, which may come with no bytes. */
  message(part: Uint8Array, last: boolean): void;
  /** A ping, which the peer wants answered by a pong with the same payload. */
  ping(payload: Uint8Array): void;
  /** A pong, asked for or not. */
  pong(payload: Uint8Array): void;
  /** A close frame. What follows it is not looked at. @param code 1005 where the peer named none */
  close(code: number, reason: string): void;
}

const NOTHING = new Uint8Array(0);

/**
 * Finds frames in bytes that arrive in any pieces (RFC 6455, section 5), and nothing else: it holds no payload back, and unmasks in place.
 * Text messages and extensions are refused, since the tunnel has neither.
 */
export class FrameReader {
  readonly #sink: FrameSink;
  readonly #limits: FrameLimits;
  readonly #masked: boolean;
  readonly #header = new Uint8Array(MAX_HEADER_BYTES);
  #headerBytes = 0;
  /** What the header takes, as far as it is known. */
  #headerNeeds = 2;
  readonly #control = new Uint8Array(MAX_CONTROL_BYTES);
  #opcode = 0;
  #fin = false;
  #mask = 0;
  #payloadBytes = 0;
  #payloadRead = 0;
  #inPayload = false;
  /** A message has begun whose last fragment has not. */
  #open = false;
  #messageBytes = 0;
  #fragments = 0;
  #over = false;

  /** @param masked whether the peer is a client, whose frames must be masked; a server's must not (RFC 6455, 5.1) */
  constructor(sink: FrameSink, masked: boolean, limits: FrameLimits) {
    this.#sink = sink;
    this.#masked = masked;
    this.#limits = limits;
  }

  /**
   * Takes the next bytes, which it may change.
   * @throws WebSocketError where they break RFC 6455 or a limit; bytes after that, or after a close frame, are dropped
   */
  push(bytes: Uint8Array): void {
    let at = 0;
    try {
      while (at < bytes.length && !this.#over) at = this.#inPayload ? this.#takePayload(bytes, at) : this.#takeHeader(bytes, at);
    } catch (error) {
      this.#over = true;
      throw error;
    }
  }

  #takeHeader(bytes: Uint8Array, at: number): number {
    const header = this.#header;
    while (at < bytes.length) {
      header[this.#headerBytes++] = bytes[at++] as number;
      if (this.#headerBytes < this.#headerNeeds) continue;
      if (this.#headerNeeds === 2) {
        this.#headerNeeds = this.#checkStart();
        if (this.#headerNeeds > 2) continue;
      }
      this.#startPayload();
      break;
    }
    return at;
  }

  /** Checks a header's first two bytes. @returns how many bytes the header has */
  #checkStart(): number {
    const [first, second] = this.#header as unknown as [number, number];
    const opcode = first & 0x0f;
    const fin = (first & 0x80) !== 0;
    const length = second & 0x7f;
    if (first & 0x70) throw breach("A frame has reserved bits set");
    if (((second & 0x80) !== 0) !== this.#masked) {
      throw breach(this.#masked ? "A client's frame is not masked" : "A server's frame is masked");
    }
    if (opcode >= Opcode.close) {
      if (opcode > Opcode.pong) throw breach(`Opcode ${opcode} is reserved`);
      if (!fin) throw breach("A control frame is fragmented");
      if (length > MAX_CONTROL_BYTES) throw breach("A control frame is longer than 125 bytes");
      if (opcode === Opcode.close && length === 1) throw breach("A close frame has half a code");
    } else {
      if (opcode > Opcode.binary) throw breach(`Opcode ${opcode} is reserved`);
      if (opcode === Opcode.continuation && !this.#open) throw breach("A message begins with a continuation frame");
      if (opcode !== Opcode.continuation && this.#open) throw breach("A message begins within another");
      if (opcode === Opcode.text) throw new WebSocketError(CloseCode.unsupportedData, "Only binary messages are understood");
    }
    this.#opcode = opcode;
    this.#fin = fin;
    return 2 + (length < 126 ? 0 : length === 126 ? 2 : 8) + (this.#masked ? 4 : 0);
  }

  #startPayload(): void {
    const header = this.#header;
    const short = (header[1] as number) & 0x7f;
    const length = short < 126 ? short : short === 126 ? ((header[2] as number) << 8) | (header[3] as number) : this.#longLength();
    this.#mask = this.#masked ? readUint32(header, this.#headerNeeds - 4) : 0;
    this.#headerBytes = 0;
    this.#headerNeeds = 2;
    this.#payloadBytes = length;
    this.#payloadRead = 0;
    if (this.#opcode < Opcode.close) this.#countFragment(length);
    this.#inPayload = length > 0;
    if (length === 0) this.#payload(NOTHING);
  }

  #longLength(): number {
    // Beyond 2^53 a double would round it; and a message is never so long.
    const high = readUint32(this.#header, 2);
    if (high >= 2 ** 21) throw new WebSocketError(CloseCode.tooLarge, "A message is too long");
    return high * 2 ** 32 + readUint32(this.#header, 6);
  }

  #countFragment(length: number): void {
    if (!this.#open) {
      this.#messageBytes = 0;
      this.#fragments = 0;
    }
    this.#open = !this.#fin;
    this.#messageBytes += length;
    this.#fragments++;
    if (this.#messageBytes > this.#limits.messageBytes) throw new WebSocketError(CloseCode.tooLarge, "A message is too long");
    if (this.#fragments > this.#limits.fragments) throw new WebSocketError(CloseCode.policyViolation, "A message has too many fragments");
  }

  #takePayload(bytes: Uint8Array, at: number): number {
    const size = Math.min(this.#payloadBytes - this.#payloadRead, bytes.length - at);
    const part = bytes.subarray(at, at + size);
    if (this.#mask !== 0) applyMask(part, this.#mask, this.#payloadRead);
    this.#payloadRead += size;
    this.#inPayload = this.#payloadRead < this.#payloadBytes;
    this.#payload(part);
    return at + size;
  }

  #payload(part: Uint8Array): void {
    if (this.#opcode < Opcode.close) return this.#sink.message(part, this.#fin && !this.#inPayload);
    this.#control.set(part, this.#payloadRead - part.length);
    if (this.#inPayload) return;
    const payload = this.#control.subarray(0, this.#payloadBytes);
    if (this.#opcode === Opcode.ping) return this.#sink.ping(payload);
    if (this.#opcode === Opcode.pong) return this.#sink.pong(payload);
    const { code, reason } = decodeClose(payload);
    this.#over = true;
    this.#sink.close(code, reason);
  }
}

function breach(message: string): WebSocketError {
  return new WebSocketError(CloseCode.protocolError, message);
}

function readUint32(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) * 0x100_0000) +
    (((bytes[at + 1] as number) << 16) | ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number));
}
