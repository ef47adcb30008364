/** How an HTTP/2 connection's client begins it (RFC 9113, 3.4). */
export const H2_PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/** The highest id that a stream can have. */
export const LAST_STREAM = 0x7fff_ffff;

/** Types of frames (RFC 9113, 6). */
export const FrameType = {
  data: 0,
  headers: 1,
  rstStream: 3,
  settings: 4,
  pushPromise: 5,
  goAway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;
/** Flags of frames; ACK has END_STREAM's bit. */
export const Flag = { endStream: 1, ack: 1, endHeaders: 4 } as const;

const HEADER_BYTES = 9;
/** Of a payload that is asked for this much is kept: SETTINGS and WINDOW_UPDATE are shorter, and a header block begins with what matters. */
const KEPT_BYTES = 1024;

/** What a {@link FrameReader} tells. */
export interface FrameEvents {
  /** A frame begins, with so many bytes of payload. @returns whether its payload is to be shown */
  header(type: number, flags: number, streamId: number, length: number): boolean;
  /** The payload of a frame that was asked for, or its first 1,024 bytes; valid until this returns. */
  payload?(type: number, flags: number, streamId: number, bytes: Uint8Array): void;
}

/** Finds frames (RFC 9113, 4.1) in bytes that come in any pieces. */
export class FrameReader {
  readonly #header = new DataView(new ArrayBuffer(HEADER_BYTES));
  readonly #events: FrameEvents;
  #kept: Uint8Array | undefined;
  #keptBytes = 0;
  #keeping = false;
  #have = 0;
  /** Bytes of a payload, or of the preface, that are still to come. */
  #left: number;

  /** @param skip bytes before the first frame */
  constructor(skip: number, events: FrameEvents) {
    this.#left = skip;
    this.#events = events;
  }

  /** Whether no frame has begun that has not ended. */
  get between(): boolean {
    return this.#left === 0 && this.#have === 0;
  }

  /** Takes what has arrived. */
  read(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      if (this.#left > 0) {
        at = this.#pass(bytes, at);
        continue;
      }
      this.#header.setUint8(this.#have++, bytes[at++] as number);
      if (this.#have === HEADER_BYTES) this.#begin();
    }
  }

  #begin(): void {
    const header = this.#header;
    this.#have = 0;
    this.#left = header.getUint32(0) >>> 8;
    this.#keptBytes = 0;
    this.#keeping = this.#events.header(header.getUint8(3), header.getUint8(4), header.getUint32(5) & LAST_STREAM, this.#left) &&
      this.#left > 0;
  }

  #pass(bytes: Uint8Array, at: number): number {
    const end = Math.min(at + this.#left, bytes.length);
    this.#left -= end - at;
    if (this.#keeping) this.#keep(bytes.subarray(at, Math.min(end, at + KEPT_BYTES - this.#keptBytes)));
    return end;
  }

  #keep(part: Uint8Array): void {
    this.#kept ??= new Uint8Array(KEPT_BYTES);
    this.#kept.set(part, this.#keptBytes);
    this.#keptBytes += part.length;
    if (this.#left > 0) return;
    this.#keeping = false;
    const header = this.#header;
    this.#events.payload?.(
      header.getUint8(3),
      header.getUint8(4),
      header.getUint32(5) & LAST_STREAM,
      this.#kept.subarray(0, this.#keptBytes),
    );
  }
}
