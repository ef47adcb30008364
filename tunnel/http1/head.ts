/**
 * The heads of HTTP/1 messages (RFC 9112), read strictly: whatever two programs could read in two ways is refused, because request
 * smuggling depends on it. Pure functions.
 *
 * @module
 */

/** Longer heads are refused; Go's servers accept 1 MiB, node's 16 KiB. */
export const MAX_HEAD_BYTES = 64 * 1024;
/** Longer methods are cut: up to 128 requests of each caller wait for their answers. */
const MAX_METHOD_BYTES = 32;

/** The bytes are not unambiguous HTTP/1. The message says why, as the second half of a sentence. */
export class Http1Error extends Error {
  override readonly name = "Http1Error";
  /** The bytes are the start of an HTTP/2 connection (RFC 9113, 3.4). */
  readonly isHttp2: boolean;

  constructor(why: string, isHttp2 = false) {
    super(why);
    this.isHttp2 = isHttp2;
  }
}

/** A place in a head: from `start` up to, not including, `end`. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** What headers say about a message's body. */
export interface BodyHeaders {
  /** Content-Length, where there is one. */
  readonly length: number | undefined;
  /** Whether Transfer-Encoding is chunked. */
  readonly chunked: boolean;
}

/** A request's head. */
export interface RequestHead extends BodyHeaders {
  readonly method: string;
  /** Where the target is; {@link textOf} returns its text. */
  readonly targetSpan: Span;
  /** 0 or 1: the version is HTTP/1.x. */
  readonly minor: number;
  /** Where the first header begins, behind the request line's CRLF. */
  readonly headersStart: number;
  /** The values of all Host headers. */
  readonly hosts: readonly Span[];
  /** Whether it asks for another protocol: an Upgrade header, or CONNECT. */
  readonly asksUpgrade: boolean;
  /** Whether its body waits for `100 Continue`. */
  readonly expectsContinue: boolean;
  /** Whether its body is JSON, or its sender accepts JSON: a Content-Type or Accept that begins with a JSON type. */
  readonly isJson: boolean;
}

/** A response's head. */
export interface ResponseHead extends BodyHeaders {
  readonly status: number;
}

const TAB = 9;
const LF = 10;
const CR = 13;
const SP = 32;
const COLON = 58;
const ZERO = 48;

/** Characters of methods and header names (RFC 9110, 5.6.2). */
export const TOKEN: Uint8Array = table((byte) => /[!#$%&'*+.^_`|~0-9A-Za-z-]/.test(String.fromCharCode(byte)));
/** Characters of values (RFC 9110, 5.5), bytes above ASCII included, without the control characters that it leaves open. */
const VALUE: Uint8Array = table((byte) => byte === 9 || (byte >= 32 && byte !== 127));
/** Characters of a target: no spaces or control characters. RFC 3986 forbids bytes above ASCII, but some clients send them. */
const TARGET: Uint8Array = table((byte) => byte > 32 && byte !== 127);

/**
 * Reads a request's head, complete and with its empty line, as a HeadReader has found it.
 * @param bytes hold it from `from` up to `to`; spans are places in these bytes
 * @throws Http1Error
 */
export function parseRequestHead(bytes: Uint8Array, from = 0, to = bytes.length): RequestHead {
  let methodEnd = from;
  while (TOKEN[bytes[methodEnd] as number]) methodEnd++;
  const start = methodEnd + 1;
  let end = start;
  while (TARGET[bytes[end] as number]) end++;
  const minor = minorVersion(bytes, end + 1);
  const headersStart = end + " HTTP/1.1\r\n".length;
  const isWhole = methodEnd > from && bytes[methodEnd] === SP && end > start && bytes[end] === SP && bytes[headersStart - 1] === LF;
  if (!isWhole || minor < 0) throw requestLineError(shortText(bytes, from, bytes.indexOf(LF, from) - 1));
  const { upgrade, ...fields } = parseFields(bytes, headersStart, to);
  if (fields.chunked && minor === 0) throw new Http1Error("it has Transfer-Encoding in HTTP/1.0");
  const method = shortText(bytes, from, Math.min(methodEnd, from + MAX_METHOD_BYTES));
  return { ...fields, method, targetSpan: { start, end }, minor, headersStart, asksUpgrade: upgrade || method === "CONNECT" };
}

/** Reads a response's head, as {@link parseRequestHead} does a request's. @throws Http1Error */
export function parseResponseHead(bytes: Uint8Array, from = 0, to = bytes.length): ResponseHead {
  const minor = minorVersion(bytes, from);
  if (minor < 0) throw notOurVersion();
  const hundreds = digit(bytes[from + 9]);
  const tens = digit(bytes[from + 10]);
  const ones = digit(bytes[from + 11]);
  const lineEnd = endOfValue(bytes, from + 12);
  // The reason may be missing, with its space or without.
  const isStatus = bytes[from + 8] === SP && hundreds > 0 && tens >= 0 && ones >= 0 && (bytes[from + 12] === SP || lineEnd === from + 12);
  if (!isStatus) throw new Http1Error("its first line is not a status line");
  if (lineEnd < 0) throw new Http1Error("the status line has a character that must not be there");
  const { length, chunked } = parseFields(bytes, lineEnd + 2, to);
  if (chunked && minor === 0) throw new Http1Error("it has Transfer-Encoding in HTTP/1.0");
  return { status: hundreds * 100 + tens * 10 + ones, length, chunked };
}

/** What the fields of a head say. */
interface Fields extends BodyHeaders, Pick<RequestHead, "hosts" | "expectsContinue" | "isJson"> {
  readonly upgrade: boolean;
}

/** Reads the fields of a head, or of trailers: complete, with the empty line. @throws Http1Error */
export function parseFields(bytes: Uint8Array, from: number, to: number): Fields {
  const hosts: Span[] = [];
  let length: number | undefined;
  let chunked = false;
  let upgrade = false;
  let expectsContinue = false;
  let isJson = false;
  for (let name = from; name < to - 2;) {
    const colon = nameEnd(bytes, name);
    let start = colon + 1;
    while (bytes[start] === SP || bytes[start] === TAB) start++;
    const lineEnd = endOfValue(bytes, start);
    if (lineEnd < 0) throw new Http1Error("a header's value has a character that must not be there");
    let end = lineEnd;
    while (end > start && (bytes[end - 1] === SP || bytes[end - 1] === TAB)) end--;
    switch (colon - name) {
      case 4:
        if (isWord(bytes, name, colon, "host")) hosts.push({ start, end });
        break;
      case 6:
        if (isWord(bytes, name, colon, "accept")) isJson ||= isJsonType(bytes, start);
        else if (isWord(bytes, name, colon, "expect")) expectsContinue ||= isWord(bytes, start, start + 12, "100-continue");
        break;
      case 7:
        upgrade ||= isWord(bytes, name, colon, "upgrade");
        break;
      case 12:
        if (isWord(bytes, name, colon, "content-type")) isJson ||= isJsonType(bytes, start);
        break;
      case 14:
        if (!isWord(bytes, name, colon, "content-length")) break;
        if (length !== undefined) throw new Http1Error("it has more than one Content-Length");
        length = contentLength(bytes, start, end);
        break;
      case 17:
        if (!isWord(bytes, name, colon, "transfer-encoding")) break;
        if (chunked || end - start !== 7 || !isWord(bytes, start, end, "chunked")) {
          throw new Http1Error("it has a Transfer-Encoding other than chunked");
        }
        chunked = true;
    }
    name = lineEnd + 2;
  }
  if (chunked && length !== undefined) throw new Http1Error("it has both Content-Length and Transfer-Encoding");
  return { hosts, length, chunked, upgrade, expectsContinue, isJson };
}

/** Where the colon is. @throws Http1Error for a folded line, a space before the colon, or no colon */
function nameEnd(bytes: Uint8Array, start: number): number {
  let at = start;
  while (TOKEN[bytes[at] as number]) at++;
  const byte = bytes[at];
  if (at > start && byte === COLON) return at;
  if (byte !== SP && byte !== TAB) throw new Http1Error("a line is not a header");
  throw new Http1Error(at === start ? "a header is folded over several lines" : "a header has a space before its colon");
}

/** Where a line's CRLF is; -1 where a character before it is not allowed in a value. */
function endOfValue(bytes: Uint8Array, from: number): number {
  let at = from;
  while (VALUE[bytes[at] as number]) at++;
  return bytes[at] === CR && bytes[at + 1] === LF ? at : -1;
}

/** Compares checked bytes with a word, ignoring case. @param word lower-case letters, digits, `-` and `/` */
function isWord(bytes: Uint8Array, start: number, end: number, word: string): boolean {
  for (let at = start; at < end; at++) if (((bytes[at] as number) | 0x20) !== word.charCodeAt(at - start)) return false;
  return true;
}

/** Whether a media type is `application/json`, `application/apply-patch+json` or similar. */
function isJsonType(bytes: Uint8Array, start: number): boolean {
  if (!isWord(bytes, start, start + 12, "application/")) return false;
  for (let at = start + 12; TOKEN[bytes[at] as number]; at++) if (isWord(bytes, at, at + 4, "json")) return true;
  return false;
}

function contentLength(bytes: Uint8Array, start: number, end: number): number {
  const text = shortText(bytes, start, Math.min(end, start + 16));
  // A number holds 15 digits exactly.
  if (!/^\d{1,15}$/.test(text)) throw new Http1Error("its Content-Length is not a number of bytes");
  return Number(text);
}

/** The value of a digit; -1 for anything else. */
function digit(byte: number | undefined): number {
  return byte !== undefined && byte >= ZERO && byte <= ZERO + 9 ? byte - ZERO : -1;
}

const HTTP_1 = [..."HTTP/1."].map((character) => character.charCodeAt(0));

/** 0 or 1; -1 for any other version. */
function minorVersion(bytes: Uint8Array, at: number): number {
  for (let i = 0; i < 7; i++) if (bytes[at + i] !== HTTP_1[i]) return -1;
  const minor = digit(bytes[at + 7]);
  return minor === 0 || minor === 1 ? minor : -1;
}

/** Why a first line is not a request line. */
function requestLineError(line: string): Http1Error {
  const [, method, target] = /^([^ ]+) ([^ ]*) /.exec(line) ?? [];
  if (method === undefined || target === undefined) return new Http1Error("its first line is not a request line");
  if (!isAll(TOKEN, method)) return new Http1Error("the method has a character that must not be there");
  if (target === "") return new Http1Error("the request line has no target");
  if (!isAll(TARGET, target)) return new Http1Error("the target has a character that must not be there");
  return line === "PRI * HTTP/2.0" ? new Http1Error("it speaks HTTP/2", true) : notOurVersion();
}

/** A text of a few bytes, each a character: a decoder takes a microsecond for it, and that of "latin1" changes 0x80 to 0x9f. */
function shortText(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  for (let at = start; at < end; at++) text += String.fromCharCode(bytes[at] as number);
  return text;
}

function isAll(table: Uint8Array, text: string): boolean {
  return [...text].every((character) => table[character.charCodeAt(0)] !== 0);
}

function notOurVersion(): Http1Error {
  return new Http1Error("its version is not HTTP/1.0 or HTTP/1.1");
}

const decoder = new TextDecoder("latin1");

/** The text of a span, one character per byte. */
export function textOf(bytes: Uint8Array, { start, end }: Span): string {
  return decoder.decode(bytes.subarray(start, end));
}

function table(test: (byte: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => test(byte) ? 1 : 0);
}
