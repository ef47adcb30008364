/**
 * yamux frames (https://github.com/hashicorp/yamux/blob/master/spec.md): a header of 12 bytes, big endian, and in data frames a payload.
 * The decoder accepts any split of the bytes, and neither delays nor copies payloads.
 *
 *     version 8 | type 8 | flags 16 | stream id 32 | length 32
 *
 * @module
 */
import { ProtocolError } from "./errors.ts";

/** Bytes of a frame's header. */
export const HEADER_BYTES = 12;
/** The only protocol version there is. */
const VERSION = 0;

/** Types of frames. */
export const FrameType = { data: 0, windowUpdate: 1, ping: 2, goAway: 3 } as const;
/** Flags of frames. In pings, SYN asks and ACK answers. */
export const Flag = { syn: 1, ack: 2, fin: 4, rst: 8 } as const;

/** A frame's header. `length` is the payload's in data, the credit in window updates, a value to echo in pings, a code in go-away. */
export interface FrameHeader {
  type: number;
  flags: number;
  streamId: number;
  length: number;
}

/** Writes a header into `target` from `offset` on, which must have 12 bytes there. */
export function writeHeader(
  target: Uint8Array,
  offset: number,
  type: number,
  flags: number,
  streamId: number,
  length: number,
): void {
  target[offset] = VERSION;
  target[offset + 1] = type;
  target[offset + 2] = flags >>> 8;
  target[offset + 3] = flags;
  target[offset + 4] = streamId >>> 24;
  target[offset + 5] = streamId >>> 16;
  target[offset + 6] = streamId >>> 8;
  target[offset + 7] = streamId;
  target[offset + 8] = length >>> 24;
  target[offset + 9] = length >>> 16;
  target[offset + 10] = length >>> 8;
  target[offset + 11] = length;
}

/** Takes the frames that a {@link FrameDecoder} finds. */
export interface FrameReceiver {
  /** A header has arrived. The object is reused for the next one: do not keep it. */
  header(header: FrameHeader): void;
  /** A part of the last header's payload has arrived. @param last whether it holds the payload's final byte */
  payload(part: Uint8Array, last: boolean): void;
}

/** Finds frames in bytes that arrive in any pieces. */
export class FrameDecoder {
  readonly #receiver: FrameReceiver;
  readonly #header: FrameHeader = { type: 0, flags: 0, streamId: 0, length: 0 };
  readonly #partial = new Uint8Array(HEADER_BYTES);
  #partialBytes = 0;
  #payloadLeft = 0;

  constructor(receiver: FrameReceiver) {
    this.#receiver = receiver;
  }

  /**
   * Takes the next bytes; the payload parts that are passed on are views of them.
   * @throws ProtocolError for a version or type that does not exist, or whatever the receiver throws
   */
  push(bytes: Uint8Array): void {
    let at = 0;
    const end = bytes.length;
    while (at < end) {
      if (this.#payloadLeft > 0) {
        const size = Math.min(this.#payloadLeft, end - at);
        this.#payloadLeft -= size;
        this.#receiver.payload(bytes.subarray(at, at + size), this.#payloadLeft === 0);
        at += size;
      } else if (this.#partialBytes === 0 && end - at >= HEADER_BYTES) {
        this.#readHeader(bytes, at);
        at += HEADER_BYTES;
      } else {
        const size = Math.min(HEADER_BYTES - this.#partialBytes, end - at);
        this.#partial.set(bytes.subarray(at, at + size), this.#partialBytes);
        this.#partialBytes += size;
        at += size;
        if (this.#partialBytes === HEADER_BYTES) {
          this.#partialBytes = 0;
          this.#readHeader(this.#partial, 0);
        }
      }
    }
  }

  #readHeader(b: Uint8Array, o: number): void {
    const version = b[o] as number;
    const header = this.#header;
    header.type = b[o + 1] as number;
    header.flags = ((b[o + 2] as number) << 8) | (b[o + 3] as number);
    header.streamId = readUint32(b, o + 4);
    header.length = readUint32(b, o + 8);
    if (version !== VERSION) {
      throw new ProtocolError(`Cannot read a frame of protocol version ${version}: only ${VERSION} exists`);
    }
    if (header.type > FrameType.goAway) throw new ProtocolError(`Cannot read a frame of type ${header.type}`);
    if (header.type === FrameType.data) this.#payloadLeft = header.length;
    this.#receiver.header(header);
  }
}

function readUint32(b: Uint8Array, o: number): number {
  return ((b[o] as number) << 24 | (b[o + 1] as number) << 16 | (b[o + 2] as number) << 8 | (b[o + 3] as number)) >>> 0;
}
