/**
 * The heads of HTTP/1 messages (RFC 9112), read strictly: what two programs could read in two ways is refused here, for that is what
 * request smuggling is made of. Pure: bytes in, what they say out. Offsets are bytes of the head.
 *
 * @module
 */

/** A longer head is refused; Go's servers take 1 MiB, node's 16 KiB. */
export const MAX_HEAD_BYTES = 64 * 1024;
/** The most that a Content-Length may say: 15 digits, which a number holds exactly. */
const MAX_LENGTH_DIGITS = 15;

/** Bytes are no HTTP/1 that can be read in one way only. The message says why, in a sentence's second half. */
export class Http1Error extends Error {
  override readonly name = "Http1Error";
  /** The bytes are the start of an HTTP/2 connection (RFC 9113, 3.4). */
  readonly isHttp2: boolean;

  constructor(why: string, isHttp2 = false) {
    super(why);
    this.isHttp2 = isHttp2;
  }
}

/** Where something lies in a head: from `start` up to, not including, `end`. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** What headers say of a message's body. */
export interface BodyHeaders {
  /** Content-Length, where there is one. */
  readonly length: number | undefined;
  /** Whether Transfer-Encoding is chunked. */
  readonly chunked: boolean;
}

/** A request's head. */
export interface RequestHead extends BodyHeaders {
  readonly method: string;
  readonly target: string;
  /** Where the target lies. */
  readonly targetSpan: Span;
  /** 0 or 1: the version is HTTP/1.x. */
  readonly minor: number;
  /** Where the first header begins: behind the request line's CRLF. */
  readonly headersStart: number;
  /** The values of all Host headers. */
  readonly hosts: readonly Span[];
  /** Whether it asks for another protocol: an Upgrade header, or CONNECT. */
  readonly asksUpgrade: boolean;
}

/** A response's head. */
export interface ResponseHead extends BodyHeaders {
  readonly status: number;
}

const CR = 13;
const LF = 10;
const SP = 32;
const COLON = 58;

/** Characters of methods and header names (RFC 9110, 5.6.2). */
const TOKEN: Uint8Array = table((byte) => /[!#$%&'*+.^_`|~0-9A-Za-z-]/.test(String.fromCharCode(byte)));
/** Characters of values (RFC 9110, 5.5), with bytes above ASCII, and without the control characters that it leaves open. */
const VALUE: Uint8Array = table((byte) => byte === 9 || (byte >= 32 && byte !== 127));
/** Characters of a target: no spaces, no control characters; bytes above ASCII are not allowed by RFC 3986, but some send them. */
const TARGET: Uint8Array = table((byte) => byte > 32 && byte !== 127);

/** One byte is one character, so offsets in the text are offsets in the bytes. */
const decoder = new TextDecoder("latin1");

/** Gathers a head, or a body's trailers, from pieces. One that comes whole, as most do, is not copied. */
export class HeadReader {
  readonly #kind: "request" | "response" | "trailers";
  #kept = new Uint8Array(0);
  #size = 0;
  #lineStart = 0;
  /** Bytes of an empty line before a request: one is passed over (RFC 9112, 2.2). */
  #blank = 0;

  constructor(kind: "request" | "response" | "trailers") {
    this.#kind = kind;
  }

  /** Whether a part of a head has been read. */
  get begun(): boolean {
    return this.#size > 0;
  }

  /**
   * Reads from `at` on.
   * @returns the head with its empty line, valid until the next call, and where the bytes after it begin; undefined where more is needed
   * @throws Http1Error
   */
  read(bytes: Uint8Array, at: number): { head: Uint8Array; next: number } | undefined {
    const before = this.#size;
    if (before === 0 && this.#kind !== "trailers") {
      if (this.#kind === "request") at = this.#skipBlank(bytes, at);
      if (at === bytes.length) return undefined;
      if (!TOKEN[bytes[at] as number]) throw notHttp(bytes[at] as number);
    }
    for (let from = at;;) {
      const lf = bytes.indexOf(LF, from);
      if (lf < 0) break;
      const previous = lf > at ? bytes[lf - 1] : this.#kept[before - 1];
      if (previous !== CR) throw new Http1Error("a line ends in LF alone");
      const end = before + lf - at + 1;
      if (end > MAX_HEAD_BYTES) break;
      if (end - this.#lineStart === 2) return { head: this.#take(bytes, at, lf + 1), next: lf + 1 };
      this.#lineStart = end;
      from = lf + 1;
    }
    if (before + bytes.length - at > MAX_HEAD_BYTES) throw new Http1Error(`the head is longer than ${MAX_HEAD_BYTES / 1024} KiB`);
    this.#keep(bytes, at, bytes.length);
    return undefined;
  }

  #skipBlank(bytes: Uint8Array, at: number): number {
    while (this.#blank < 2 && bytes[at] === (this.#blank === 0 ? CR : LF)) {
      this.#blank++;
      at++;
    }
    if (this.#blank === 1 && at < bytes.length) throw new Http1Error("a line ends in CR alone");
    return at;
  }

  #take(bytes: Uint8Array, at: number, end: number): Uint8Array {
    let head: Uint8Array;
    if (this.#size === 0) {
      head = bytes.subarray(at, end);
    } else {
      this.#keep(bytes, at, end);
      head = this.#kept.subarray(0, this.#size);
    }
    this.#kept = new Uint8Array(0);
    this.#size = 0;
    this.#lineStart = 0;
    this.#blank = 0;
    return head;
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

/** Reads a request's head. @param head whole, with its empty line @throws Http1Error */
export function parseRequestHead(head: Uint8Array): RequestHead {
  const lineEnd = head.indexOf(LF) - 1;
  const text = decoder.decode(head.subarray(0, lineEnd));
  const methodEnd = text.indexOf(" ");
  const targetEnd = text.indexOf(" ", methodEnd + 1);
  if (methodEnd < 1 || targetEnd < 0) throw new Http1Error("its first line is no request line");
  checkBytes(head, 0, methodEnd, TOKEN, "the method");
  if (targetEnd === methodEnd + 1) throw new Http1Error("the request line has no target");
  checkBytes(head, methodEnd + 1, targetEnd, TARGET, "the target");
  const version = text.slice(targetEnd + 1);
  if (version === "HTTP/2.0" && text.startsWith("PRI * ")) throw new Http1Error("it speaks HTTP/2", true);
  const method = text.slice(0, methodEnd);
  const fields = parseFields(head, lineEnd + 2);
  const minor = minorVersion(version);
  if (fields.chunked && minor === 0) throw new Http1Error("it has Transfer-Encoding in HTTP/1.0");
  return {
    ...fields,
    method,
    target: text.slice(methodEnd + 1, targetEnd),
    targetSpan: { start: methodEnd + 1, end: targetEnd },
    minor,
    headersStart: lineEnd + 2,
    asksUpgrade: fields.upgrade || method === "CONNECT",
  };
}

/** Reads a response's head. @param head whole, with its empty line @throws Http1Error */
export function parseResponseHead(head: Uint8Array): ResponseHead {
  const lineEnd = head.indexOf(LF) - 1;
  const text = decoder.decode(head.subarray(0, lineEnd));
  const minor = minorVersion(text.slice(0, 8));
  // The reason may be missing, with its space or without.
  if (!/^ [1-9]\d\d(?: |$)/.test(text.slice(8))) throw new Http1Error("its first line is no status line");
  checkBytes(head, 12, lineEnd, VALUE, "the status line");
  const { length, chunked } = parseFields(head, lineEnd + 2);
  if (chunked && minor === 0) throw new Http1Error("it has Transfer-Encoding in HTTP/1.0");
  return { status: Number(text.slice(9, 12)), length, chunked };
}

/** Checks the lines of trailers, as strictly as headers. @param lines whole, with the empty line @throws Http1Error */
export function checkFields(lines: Uint8Array): void {
  parseFields(lines, 0);
}

interface Fields extends BodyHeaders {
  readonly hosts: readonly Span[];
  readonly upgrade: boolean;
}

function parseFields(head: Uint8Array, from: number): Fields {
  const hosts: Span[] = [];
  let length: number | undefined;
  let chunked = false;
  let upgrade = false;
  for (let start = from; start < head.length - 2;) {
    const end = head.indexOf(LF, start) - 1;
    const colon = nameEnd(head, start, end);
    const value = trimmed(head, colon + 1, end);
    checkBytes(head, value.start, value.end, VALUE, "a header's value");
    switch (colon - start) {
      case 4:
        if (isNamed(head, start, colon, "host")) hosts.push(value);
        break;
      case 7:
        upgrade ||= isNamed(head, start, colon, "upgrade");
        break;
      case 14:
        if (!isNamed(head, start, colon, "content-length")) break;
        if (length !== undefined) throw new Http1Error("it has more than one Content-Length");
        length = contentLength(textOf(head, value));
        break;
      case 17:
        if (!isNamed(head, start, colon, "transfer-encoding")) break;
        if (chunked || textOf(head, value).toLowerCase() !== "chunked") {
          throw new Http1Error("it has a Transfer-Encoding other than chunked");
        }
        chunked = true;
    }
    start = end + 2;
  }
  if (chunked && length !== undefined) throw new Http1Error("it has both Content-Length and Transfer-Encoding");
  return { hosts, length, chunked, upgrade };
}

/** The place of the colon. @throws Http1Error for a folded line, a space before the colon, or no colon */
function nameEnd(head: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && TOKEN[head[at] as number]) at++;
  if (at > start && head[at] === COLON) return at;
  if (at === start && (head[at] === SP || head[at] === 9)) throw new Http1Error("a header is folded over several lines");
  if (head[at] === SP || head[at] === 9) throw new Http1Error("a header has a space before its colon");
  throw new Http1Error("a line is no header");
}

function trimmed(head: Uint8Array, start: number, end: number): Span {
  while (start < end && (head[start] === SP || head[start] === 9)) start++;
  while (end > start && (head[end - 1] === SP || head[end - 1] === 9)) end--;
  return { start, end };
}

function isNamed(head: Uint8Array, start: number, end: number, name: string): boolean {
  for (let at = start; at < end; at++) if (((head[at] as number) | 0x20) !== name.charCodeAt(at - start)) return false;
  return true;
}

function contentLength(text: string): number {
  if (!/^\d+$/.test(text) || text.length > MAX_LENGTH_DIGITS) throw new Http1Error("its Content-Length is no number of bytes");
  return Number(text);
}

function minorVersion(version: string): number {
  if (version === "HTTP/1.1") return 1;
  if (version === "HTTP/1.0") return 0;
  throw new Http1Error("its version is not HTTP/1.0 or HTTP/1.1");
}

function checkBytes(head: Uint8Array, start: number, end: number, allowed: Uint8Array, what: string): void {
  for (let at = start; at < end; at++) {
    if (!allowed[head[at] as number]) throw new Http1Error(`${what} has a character that must not be there`);
  }
}

function textOf(head: Uint8Array, { start, end }: Span): string {
  return decoder.decode(head.subarray(start, end));
}

function notHttp(first: number): Http1Error {
  // A TLS record of the type "handshake" (RFC 8446, 5.1).
  if (first === 22) return new Http1Error("it speaks TLS");
  return new Http1Error("it does not begin like HTTP");
}

function table(test: (byte: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => test(byte) ? 1 : 0);
}
