import { concat } from "../bytes.ts";
import { type BodyHeaders, Http1Error, parseFields } from "./head.ts";
import { HeadReader } from "./head_reader.ts";

/** How a body ends: after so many bytes, with its last chunk, with the connection, or never, because another protocol follows. */
export type BodyFraming = number | "chunked" | "until-close" | "opaque";

/** A chunk's size line, with its extensions, may not be longer: an unfinished one is kept for each caller. */
const MAX_SIZE_LINE_BYTES = 256;
/** The most digits of a chunk's size: a number holds 13 hexadecimal digits exactly. */
const MAX_SIZE_DIGITS = 13;

const CR = 13;
const LF = 10;
const NOTHING = new Uint8Array();

/** How a request's body ends (RFC 9112, 6.3). */
export function requestFraming({ chunked, length }: BodyHeaders): BodyFraming {
  return chunked ? "chunked" : length ?? 0;
}

/**
 * How a response's body ends (RFC 9112, 6.3).
 * @param method the request's, where it is known
 */
export function responseFraming(head: BodyHeaders & { readonly status: number }, method: string | undefined): BodyFraming {
  const { status, chunked, length } = head;
  if (status === 101 || (method === "CONNECT" && status >= 200 && status < 300)) return "opaque";
  if (status < 200 || status === 204 || status === 304 || method === "HEAD") return 0;
  return chunked ? "chunked" : length ?? "until-close";
}

/** Takes content from `start` up to `end`. The bytes are valid until it returns. */
export type ContentTaker = (bytes: Uint8Array, start: number, end: number) => void;

/** Finds the end of a body in bytes that arrive in any pieces; it keeps only an unfinished size line. */
export class BodyFramer {
  #framing: BodyFraming = 0;
  /** Bytes of content, or of the chunk, that have not arrived yet. */
  #left = 0;
  #state: "size" | "data" | "data-cr" | "data-lf" | "trailers" = "size";
  /** The part of a size line that has arrived. Not a growing string: 4 KiB, appended one character at a time, held 130 KiB. */
  #line: Uint8Array = NOTHING;
  #trailers: HeadReader | undefined;
  /** Bytes of content, without chunk lines, in what the last {@link take} passed. */
  content = 0;
  /** Whether the body has ended. */
  done = true;
  readonly #onContent: ContentTaker | undefined;

  /** @param onContent receives the content, without chunk lines */
  constructor(onContent?: ContentTaker) {
    this.#onContent = onContent;
  }

  /** Begins a new body; one without bytes has ended at once. */
  start(framing: BodyFraming): void {
    this.#framing = framing;
    this.#left = typeof framing === "number" ? framing : 0;
    this.#state = "size";
    this.#line = NOTHING;
    this.done = framing === 0;
  }

  /** Passes over the body's bytes from `at` on. @returns where they end in `bytes` @throws Http1Error for malformed chunks */
  take(bytes: Uint8Array, at: number): number {
    this.content = 0;
    if (this.#framing === "chunked") return this.#takeChunks(bytes, at);
    if (typeof this.#framing !== "number") this.#left = Infinity;
    const end = this.#takeContent(bytes, at);
    this.done = this.#left === 0;
    return end;
  }

  #takeContent(bytes: Uint8Array, at: number): number {
    const size = Math.min(this.#left, bytes.length - at);
    this.#left -= size;
    this.content += size;
    this.#onContent?.(bytes, at, at + size);
    return at + size;
  }

  #takeChunks(bytes: Uint8Array, start: number): number {
    let at = start;
    while (at < bytes.length && !this.done) {
      switch (this.#state) {
        case "size":
          at = this.#takeSizeLine(bytes, at);
          break;
        case "data":
          at = this.#takeContent(bytes, at);
          if (this.#left === 0) this.#state = "data-cr";
          break;
        case "data-cr":
          at = this.#takeDataEnd(bytes, at, CR, "data-lf");
          break;
        case "data-lf":
          at = this.#takeDataEnd(bytes, at, LF, "size");
          break;
        case "trailers":
          at = this.#takeTrailers(bytes, at);
      }
    }
    return at;
  }

  #takeSizeLine(bytes: Uint8Array, at: number): number {
    const lf = bytes.indexOf(LF, at);
    const end = lf < 0 ? bytes.length : lf + 1;
    if (this.#line.length + end - at > MAX_SIZE_LINE_BYTES) throw new Http1Error("a chunk's size line is too long");
    const line = concat(this.#line, bytes.subarray(at, end));
    this.#line = lf < 0 ? line : NOTHING;
    if (lf < 0) return end;
    this.#left = chunkSize(String.fromCharCode(...line));
    this.#state = this.#left === 0 ? "trailers" : "data";
    if (this.#left === 0) this.#trailers = new HeadReader("trailers");
    return end;
  }

  #takeDataEnd(bytes: Uint8Array, at: number, wanted: number, next: "data-lf" | "size"): number {
    if (bytes[at] !== wanted) throw new Http1Error("a chunk is longer or shorter than its size");
    this.#state = next;
    return at + 1;
  }

  #takeTrailers(bytes: Uint8Array, at: number): number {
    const trailers = this.#trailers as HeadReader;
    const next = trailers.read(bytes, at);
    if (next < 0) return bytes.length;
    parseFields(trailers.source, trailers.start, trailers.end);
    this.#trailers = undefined;
    this.done = true;
    return next;
  }
}

/** Reads `1a;name="value"` and CRLF. Extensions are ignored, but must not hold control characters. */
function chunkSize(line: string): number {
  // deno-lint-ignore no-control-regex -- they are refused
  const match = /^([0-9A-Fa-f]+)(?:[ \t]*;[^\x00-\x08\x0a-\x1f\x7f]*)?\r\n$/.exec(line);
  const digits = match?.[1]?.replace(/^0+(?=.)/, "");
  if (!digits || digits.length > MAX_SIZE_DIGITS) throw new Http1Error("a chunk's size is not a number");
  return parseInt(digits, 16);
}
