import { Http1Error, MAX_HEAD_BYTES, TOKEN } from "./head.ts";

const LF = 10;
const CR = 13;
const NO_BYTES = new Uint8Array(0);
/** A head up to this size is recognized when it comes again. */
const REPEATED_BYTES = 1024;

/** Gathers a head, or a body's trailers, from pieces. A head that arrives in one piece, as most do, is not copied. */
export class HeadReader {
  readonly #kind: "request" | "response" | "trailers";
  #kept = NO_BYTES;
  #size = 0;
  #lineStart = 0;
  /** The last byte before a request was a CR: of an empty line, if LF follows. */
  #blankCr = false;
  /** Holds the head that was read last, with its empty line, until {@link release} or the next {@link read}. */
  source: Uint8Array = NO_BYTES;
  /** Where the head begins in {@link source}. */
  start = 0;
  /** Where it ends there. */
  end = 0;
  /** Whether it is the same as the one before, both at the start of what was read: kept-alive connections mostly repeat theirs. */
  repeats = false;
  #last = NO_BYTES;

  constructor(kind: "request" | "response" | "trailers") {
    this.#kind = kind;
  }

  /** Whether a part of a head has been read. */
  get begun(): boolean {
    return this.#size > 0;
  }

  /**
   * Reads from `at` on.
   * @returns where the bytes behind the head begin; the head is then in {@link source}. -1 where more bytes are needed
   * @throws Http1Error
   */
  read(bytes: Uint8Array, at: number): number {
    const before = this.#size;
    if (before === 0 && this.#kind !== "trailers") {
      this.repeats = at === 0 && !this.#blankCr && startsWith(bytes, this.#last);
      if (this.repeats) {
        this.source = bytes;
        return this.end;
      }
      if (this.#kind === "request") at = this.#skipBlank(bytes, at);
      if (at === bytes.length) return -1;
      // A TLS record of type "handshake" (RFC 8446, 5.1).
      if (bytes[at] === 22) throw new Http1Error("it speaks TLS");
      if (!TOKEN[bytes[at] as number]) throw new Http1Error("it does not begin like HTTP");
    }
    const length = bytes.length;
    for (let lf = at; lf < length; lf++) {
      if (bytes[lf] !== LF) continue;
      const previous = lf > at ? bytes[lf - 1] : this.#kept[before - 1];
      if (previous !== CR) throw new Http1Error("a line ends in LF alone");
      const end = before + lf - at + 1;
      if (end > MAX_HEAD_BYTES) break;
      if (end - this.#lineStart === 2) {
        this.#take(bytes, at, lf + 1);
        return lf + 1;
      }
      this.#lineStart = end;
    }
    if (before + length - at > MAX_HEAD_BYTES) throw new Http1Error(`the head is longer than ${MAX_HEAD_BYTES / 1024} KiB`);
    this.#keep(bytes, at, length);
    return -1;
  }

  /** Drops the bytes that hold the head, which may be many more than the head. */
  release(): void {
    this.source = NO_BYTES;
  }

  /** Passes over empty lines before a request: some clients send CRLF behind a POST's body (RFC 9112, 2.2). */
  #skipBlank(bytes: Uint8Array, at: number): number {
    for (; at < bytes.length && (this.#blankCr ? bytes[at] === LF : bytes[at] === CR); at++) this.#blankCr = !this.#blankCr;
    if (this.#blankCr && at < bytes.length) throw new Http1Error("a line ends in CR alone");
    return at;
  }

  #take(bytes: Uint8Array, at: number, end: number): void {
    if (this.#size === 0) {
      this.source = bytes;
      this.start = at;
      this.end = end;
      // Not of pipelined requests: a thousand callers can send 128 each, and the copies filled the heap.
      this.#last = at > 0 || end > REPEATED_BYTES ? NO_BYTES : bytes.slice(0, end);
    } else {
      this.#keep(bytes, at, end);
      this.source = this.#kept;
      this.start = 0;
      this.end = this.#size;
      this.#kept = NO_BYTES;
      this.#size = 0;
      this.#last = NO_BYTES;
    }
    this.#lineStart = 0;
  }

  #keep(bytes: Uint8Array, from: number, to: number): void {
    const size = this.#size + to - from;
    if (size > this.#kept.length) {
      const larger = new Uint8Array(Math.max(1024, size, this.#kept.length * 2));
      larger.set(this.#kept.subarray(0, this.#size));
      this.#kept = larger;
    }
    this.#kept.set(bytes.subarray(from, to), this.#size);
    this.#size = size;
  }
}

/** Whether bytes begin with `start`, which is not empty. */
function startsWith(bytes: Uint8Array, start: Uint8Array): boolean {
  const size = start.length;
  if (size === 0 || bytes.length < size) return false;
  for (let i = 0; i < size; i++) if (bytes[i] !== start[i]) return false;
  return true;
}
