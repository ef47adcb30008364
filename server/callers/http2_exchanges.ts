import { Flag, FrameReader, FrameType, H2_PREFACE, LAST_STREAM } from "./http2_frames.ts";

/** What windows and frames begin with (RFC 9113, 6.9.2). */
const INITIAL_WINDOW = 65_535;
const SETTINGS_INITIAL_WINDOW_SIZE = 4;
/**
 * No more streams are followed at once: a caller that opens them without end must not fill our memory, nor 1,280 callers the heap's 48 MB.
 * Programs allow 100 to 250 by default. The rest end with the connection.
 */
const MAX_FOLLOWED = 256;
/** What is known of a stream. */
const ANSWERING = 1;
const IS_GRPC = 2;
/** A gRPC request's content type, as HPACK writes it: by Huffman's code, or plainly (RFC 7541, 5.2). */
const GRPC_SPELLINGS: readonly Uint8Array[] = [
  new Uint8Array([0x1d, 0x75, 0xd0, 0x62, 0x0d, 0x26, 0x3d, 0x4c, 0x4d, 0x65, 0x64]),
  new TextEncoder().encode("application/grpc"),
];

/** A stream of the caller's whose answer has not ended. */
export interface OpenStream {
  readonly id: number;
  /** Whether its answer has begun. */
  readonly answering: boolean;
  /**
   * Whether its request spells out that it is gRPC. A later one on the same connection may refer to an earlier (RFC 7541, 2.3), which is
   * not followed.
   */
  readonly isGrpc: boolean;
}

/** Follows the frames of one HTTP/2 connection, to know where ours may stand, which streams wait, and what the program may have got. */
export class Http2Exchanges {
  readonly #forth: FrameReader;
  readonly #back: FrameReader;
  /** By stream, as numbers: an object for each takes three times the memory. */
  readonly #open = new Map<number, number>();
  #lastStream = 0;
  #begun = false;
  /** Frames of one header block stand together (RFC 9113, 4.3). */
  #inHeaders = false;
  #connectionRoom = INITIAL_WINDOW;
  #streamRoom = INITIAL_WINDOW;
  #settingsSeen = false;
  /** The program has said that it takes no streams above this one. */
  #taken = LAST_STREAM;

  constructor() {
    this.#forth = new FrameReader(H2_PREFACE.length, {
      header: (type, flags, id) => this.#forthFrame(type, flags, id),
      payload: (type, _flags, id, bytes) => this.#forthPayload(type, id, bytes),
    });
    this.#back = new FrameReader(0, {
      header: (type, flags, id, length) => {
        this.#backFrame(type, flags, id, length);
        return type === FrameType.goAway;
      },
      payload: (_type, _flags, _id, bytes) => this.#wentAway(bytes),
    });
  }

  /** The highest stream that the caller has opened, of those that the program has not turned away; 0 for none. */
  get lastStream(): number {
    return Math.min(this.#lastStream, this.#taken);
  }

  /** Whether anything has gone to the caller: the first frame must be SETTINGS. */
  get begun(): boolean {
    return this.#begun;
  }

  /** Whether a frame may follow what has gone to the caller. */
  get between(): boolean {
    return this.#back.between && !this.#inHeaders;
  }

  /** Whether the caller's SETTINGS have come, which somebody must acknowledge. */
  get settingsSeen(): boolean {
    return this.#settingsSeen;
  }

  /** Streams whose answers have not ended, the oldest first. */
  get open(): OpenStream[] {
    return [...this.#open].map(([id, known]) => ({ id, answering: (known & ANSWERING) !== 0, isGrpc: (known & IS_GRPC) !== 0 }));
  }

  /** How many bytes of DATA the connection may still carry to the caller. */
  get connectionRoom(): number {
    return this.#connectionRoom;
  }

  /** And each stream on which no answer has begun. */
  get streamRoom(): number {
    return this.#streamRoom;
  }

  /** Bytes from the caller, its preface included. */
  forth(bytes: Uint8Array): void {
    this.#forth.read(bytes);
  }

  /** Bytes to the caller. */
  back(bytes: Uint8Array): void {
    if (bytes.length > 0) this.#begun = true;
    this.#back.read(bytes);
  }

  #forthFrame(type: number, flags: number, id: number): boolean {
    if (type === FrameType.headers && id > this.#lastStream) {
      this.#lastStream = id;
      if (this.#open.size < MAX_FOLLOWED && id <= this.#taken) this.#open.set(id, 0);
      return true;
    }
    if (type === FrameType.rstStream) this.#open.delete(id);
    if (type === FrameType.settings && (flags & Flag.ack) === 0) {
      this.#settingsSeen = true;
      return true;
    }
    return type === FrameType.windowUpdate && id === 0;
  }

  #forthPayload(type: number, id: number, bytes: Uint8Array): void {
    if (type === FrameType.headers) {
      if (GRPC_SPELLINGS.some((spelling) => includes(bytes, spelling))) this.#learn(id, IS_GRPC);
      return;
    }
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    if (type === FrameType.windowUpdate) {
      if (bytes.length === 4) this.#connectionRoom += view.getUint32(0);
      return;
    }
    for (let at = 0; at + 6 <= bytes.length; at += 6) {
      if (view.getUint16(at) === SETTINGS_INITIAL_WINDOW_SIZE) this.#streamRoom = view.getUint32(at + 2);
    }
  }

  #backFrame(type: number, flags: number, id: number, length: number): void {
    switch (type) {
      case FrameType.headers:
      case FrameType.pushPromise:
      case FrameType.continuation:
        this.#inHeaders = (flags & Flag.endHeaders) === 0;
        if (type === FrameType.headers) this.#answered(id, flags);
        break;
      case FrameType.data:
        this.#connectionRoom -= length;
        this.#answered(id, flags);
        break;
      case FrameType.rstStream:
        this.#open.delete(id);
    }
  }

  /** Streams above a GOAWAY's are over for the caller, and no later GOAWAY may name a higher one (RFC 9113, 6.8). */
  #wentAway(bytes: Uint8Array): void {
    if (bytes.length < 8) return;
    this.#taken = Math.min(this.#taken, new DataView(bytes.buffer, bytes.byteOffset).getUint32(0) & LAST_STREAM);
    for (const id of this.#open.keys()) if (id > this.#taken) this.#open.delete(id);
  }

  #answered(id: number, flags: number): void {
    this.#learn(id, ANSWERING);
    if (flags & Flag.endStream) this.#open.delete(id);
  }

  #learn(id: number, what: number): void {
    const known = this.#open.get(id);
    if (known !== undefined) this.#open.set(id, known | what);
  }
}

function includes(bytes: Uint8Array, wanted: Uint8Array): boolean {
  const first = wanted[0] as number;
  for (let at = bytes.indexOf(first); at >= 0 && at + wanted.length <= bytes.length; at = bytes.indexOf(first, at + 1)) {
    if (wanted.every((byte, i) => bytes[at + i] === byte)) return true;
  }
  return false;
}
