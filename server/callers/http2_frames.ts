/**
 * As much of HTTP/2 (RFC 9113) as it takes to end a connection in its own words: where its frames end, and GOAWAY.
 *
 * @module
 */
import { concat } from "../../tunnel/bytes.ts";

/** How an HTTP/2 client begins its connection (RFC 9113, 3.4). */
export const H2_PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/** Codes of errors (RFC 9113, 7). */
export const ErrorCode = { none: 0, internal: 2 } as const;

/** Types of frames (RFC 9113, 6). */
const FrameType = { headers: 1, settings: 4, pushPromise: 5, goAway: 7, continuation: 9 } as const;
const END_HEADERS = 4;
const HEADER_BYTES = 9;
/** The highest id that a stream can have: a GOAWAY with it says that any request may have been processed. */
const LAST_STREAM = 0x7fff_ffff;

/** A SETTINGS frame without settings, which the server's first frame must be. */
export function http2Settings(): Uint8Array {
  return frame(FrameType.settings, new Uint8Array());
}

/**
 * A GOAWAY frame (RFC 9113, 6.8): the caller opens no more streams on this connection. It names the highest stream, so that the caller
 * does not repeat on its own what the program may have processed.
 * @param sentence debug data for people; grpc-go and Go's net/http put it into their errors
 */
export function http2GoAway(code: number, sentence: string): Uint8Array {
  const head = new DataView(new ArrayBuffer(8));
  head.setUint32(0, LAST_STREAM);
  head.setUint32(4, code);
  return frame(FrameType.goAway, concat(new Uint8Array(head.buffer), new TextEncoder().encode(sentence)));
}

function frame(type: number, payload: Uint8Array): Uint8Array {
  const header = new Uint8Array(HEADER_BYTES);
  new DataView(header.buffer).setUint32(0, payload.length << 8 | type);
  return concat(header, payload);
}

/** Follows the frames that go to a caller, in bytes that arrive in any pieces, to know when one of ours may go between them. */
export class Http2Boundary {
  /** Whether anything has gone to the caller. */
  begun = false;
  readonly #header = new DataView(new ArrayBuffer(HEADER_BYTES));
  #have = 0;
  #payloadLeft = 0;
  /** The frames of one header block stand together (RFC 9113, 4.3). */
  #inHeaders = false;

  /** Whether a frame may follow. */
  get between(): boolean {
    return this.#payloadLeft === 0 && this.#have === 0 && !this.#inHeaders;
  }

  /** Takes bytes to the caller. */
  back(bytes: Uint8Array): void {
    if (bytes.length > 0) this.begun = true;
    for (let at = 0; at < bytes.length;) {
      if (this.#payloadLeft > 0) {
        const size = Math.min(this.#payloadLeft, bytes.length - at);
        this.#payloadLeft -= size;
        at += size;
        continue;
      }
      this.#header.setUint8(this.#have++, bytes[at++] as number);
      if (this.#have === HEADER_BYTES) this.#frameBegins();
    }
  }

  #frameBegins(): void {
    this.#have = 0;
    this.#payloadLeft = this.#header.getUint32(0) >>> 8;
    const type = this.#header.getUint8(3);
    const isHeaders = type === FrameType.headers || type === FrameType.pushPromise || type === FrameType.continuation;
    if (isHeaders) this.#inHeaders = (this.#header.getUint8(4) & END_HEADERS) === 0;
  }
}
