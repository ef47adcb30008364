/** How an HTTP/2 connection's client begins it (RFC 9113, 3.4). */
export const H2_PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/** The highest id that a stream can have: a GOAWAY with it bars new streams and touches none that is open (RFC 9113, 6.8). */
export const LAST_STREAM = 0x7fff_ffff;

const HEADER_BYTES = 9;
const HEADERS = 1;
const PUSH_PROMISE = 5;
const CONTINUATION = 9;
const END_HEADERS = 4;

/** Follows the frames of one HTTP/2 connection, to know where one of ours may stand, and what the program may have got. */
export class Http2Exchanges {
  readonly #forth: Frames;
  readonly #back: Frames;
  #lastStream = 0;
  #begun = false;
  /** Frames of one header block stand together (RFC 9113, 4.3). */
  #inHeaders = false;

  constructor() {
    this.#forth = new Frames(H2_PREFACE.length, (type, _flags, id) => {
      if (type === HEADERS && id > this.#lastStream) this.#lastStream = id;
    });
    this.#back = new Frames(0, (type, flags) => {
      if (type === HEADERS || type === PUSH_PROMISE || type === CONTINUATION) this.#inHeaders = (flags & END_HEADERS) === 0;
    });
  }

  /** The highest stream that the caller has opened; 0 for none. */
  get lastStream(): number {
    return this.#lastStream;
  }

  /** Whether anything has gone to the caller: the first frame must be SETTINGS. */
  get begun(): boolean {
    return this.#begun;
  }

  /** Whether a frame may follow what has gone to the caller. */
  get between(): boolean {
    return this.#back.between && !this.#inHeaders;
  }

  /** Bytes from the caller, its preface included. */
  forth(bytes: Uint8Array): void {
    this.#forth.read(bytes);
  }

  /** Bytes to the caller. */
  back(bytes: Uint8Array): void {
    this.#begun ||= bytes.length > 0;
    this.#back.read(bytes);
  }
}

/** Finds the headers of frames (RFC 9113, 4.1) in bytes that come in any pieces. */
class Frames {
  readonly #header = new Uint8Array(HEADER_BYTES);
  readonly #found: (type: number, flags: number, streamId: number) => void;
  #have = 0;
  /** Bytes to pass over: of a payload, or of the preface. */
  #skip: number;

  constructor(skip: number, found: (type: number, flags: number, streamId: number) => void) {
    this.#skip = skip;
    this.#found = found;
  }

  get between(): boolean {
    return this.#skip === 0 && this.#have === 0;
  }

  read(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      if (this.#skip > 0) {
        const passed = Math.min(this.#skip, bytes.length - at);
        this.#skip -= passed;
        at += passed;
        continue;
      }
      this.#header[this.#have++] = bytes[at++] as number;
      if (this.#have < HEADER_BYTES) continue;
      this.#have = 0;
      const header = new DataView(this.#header.buffer);
      this.#skip = header.getUint32(0) >>> 8;
      this.#found(header.getUint8(3), header.getUint8(4), header.getUint32(5) & LAST_STREAM);
    }
  }
}
