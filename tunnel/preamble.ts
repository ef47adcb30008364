/**
 * What opens each stream: a record that says what the stream is for, and one back. A record is its length in 16 bits, big endian, and that
 * much UTF-8. More bytes may follow without waiting for the answer.
 *
 * The side that accepts callers opens a stream for each, and the answer comes from the side that dials the upstream. In `kurun run` the
 * client opens all streams, and the supervisor answers. docs/protocol.md says what follows.
 *
 * @module
 */
import { concat } from "./bytes.ts";
import type { Connection } from "./connection.ts";
import { HandshakeError } from "./errors.ts";
import { parseObject } from "./hello.ts";

/** The most that a record may hold: a refusal's text is cut to it, and a record that announces more is an error. */
export const MAX_RECORD_BYTES = 1024;
/** The longest that a caller may wait for a client before its stream is opened, in milliseconds. */
export const MAX_HOLD_MS = 600_000;

/** Who called, and at which port. */
export interface Preamble {
  /** The request port that accepted the caller. */
  readonly port: number;
  /** The caller's address and port. */
  readonly from: string;
  /** The protocol that the caller's TLS negotiated (ALPN, RFC 7301), where it did. */
  readonly alpn?: string | undefined;
  /** Why the caller's TLS handshake failed, for people. Such a stream carries no caller: it only reports. */
  readonly failed?: string;
}

/** What a stream of `kurun run` is for. */
export type RunPreamble =
  /** Messages both ways: requests and reports. */
  | { readonly for: "control" }
  /** A program's bytes, from the client. */
  | { readonly for: "program"; readonly sha256: string; readonly size: number }
  /** A run's input from the client, or its output to the client. */
  | { readonly for: "stdin" | "stdout" | "stderr"; readonly run: number }
  /** A connection to a port that the program listens on. */
  | { readonly for: "port"; readonly port: number };

/** A preamble, and the bytes that arrived behind it. */
export interface PreambleAndRest<P> {
  readonly preamble: P;
  readonly rest: Uint8Array;
}

/** Encodes the first bytes of a stream. */
export function encodePreamble(preamble: Preamble | RunPreamble): Uint8Array {
  return encodeRecord(JSON.stringify(preamble));
}

/** Reads the first bytes of a caller's stream. @throws HandshakeError where they are not a preamble, or the stream's own error */
export async function readPreamble(stream: Connection): Promise<PreambleAndRest<Preamble>> {
  const { record, rest } = await readRecord(stream);
  return { preamble: parsePreamble(parseObject("preamble", record)), rest };
}

/** Reads the first bytes of a stream of `kurun run`, as {@link readPreamble} does. */
export async function readRunPreamble(stream: Connection): Promise<PreambleAndRest<RunPreamble>> {
  const { record, rest } = await readRecord(stream);
  return { preamble: parseRunPreamble(parseObject("preamble", record)), rest };
}

/** Encodes the answer that the upstream is connected. */
export function encodeAccepted(): Uint8Array {
  return encodeRecord("ok");
}

/** Says that the upstream accepted the connection and is still being waited for, for as long as the caller stays. */
export function encodeWaiting(): Uint8Array {
  return encodeRecord("waiting");
}

/** Encodes the answer that there is no upstream. @param text the reason, for people */
export function encodeRefused(text: string): Uint8Array {
  return encodeRecord(`refused: ${text}`);
}

/** The answer to a preamble, and the bytes that came with it. */
export interface Answer {
  /** The text of a refusal. */
  readonly refused?: string;
  /** Whether another answer follows. */
  readonly waiting?: true;
  readonly rest: Uint8Array;
}

/** Reads an answer to a preamble. @param first bytes that were read already @throws HandshakeError, or the stream's own error */
export async function readAnswer(stream: Connection, first?: Uint8Array): Promise<Answer> {
  const { record, rest } = await readRecord(stream, first);
  const text = new TextDecoder().decode(record);
  if (text === "ok") return { rest };
  if (text === "waiting") return { waiting: true, rest };
  if (text.startsWith("refused: ")) return { refused: text.slice("refused: ".length), rest };
  throw new HandshakeError("The answer to a preamble is neither ok nor a refusal");
}

/** Encodes a record; a text that is too long is cut. */
function encodeRecord(text: string): Uint8Array {
  const bytes = new TextEncoder().encode(text).subarray(0, MAX_RECORD_BYTES);
  return concat(new Uint8Array([bytes.length >>> 8, bytes.length]), bytes);
}

async function readRecord(stream: Connection, first: Uint8Array = new Uint8Array()): Promise<{ record: Uint8Array; rest: Uint8Array }> {
  for (let bytes = first;;) {
    const [high, low] = bytes;
    if (high !== undefined && low !== undefined) {
      const length = (high << 8) | low;
      if (length > MAX_RECORD_BYTES) throw new HandshakeError(`A record of ${length} bytes is too long`);
      if (bytes.length >= 2 + length) return { record: bytes.subarray(2, 2 + length), rest: bytes.subarray(2 + length) };
    }
    const more = await stream.read();
    if (more === null) throw new HandshakeError("The stream ended before its record was whole");
    bytes = concat(bytes, more);
  }
}

function parsePreamble({ port, from, alpn, failed }: Record<string, unknown>): Preamble {
  // All texts are shown on terminals, where line ends and escape sequences could pass for kurun's own output.
  if (!isText(from, /^[\x21-\x7e]{1,100}$/)) throw new HandshakeError("The preamble does not say who called");
  const caller = { port: integer("port", port, 1, 65_535), from };
  if (failed !== undefined) {
    if (!isText(failed, /^[\x20-\x7e]{1,300}$/)) throw new HandshakeError("The preamble's failure is not a sentence");
    return { ...caller, failed };
  }
  if (alpn === undefined) return caller;
  if (!isText(alpn, /^[\x21-\x7e]{1,255}$/)) throw new HandshakeError("The preamble's ALPN is not a name");
  return { ...caller, alpn };
}

function parseRunPreamble({ for: purpose, sha256, size, run, port }: Record<string, unknown>): RunPreamble {
  switch (purpose) {
    case "control":
      return { for: purpose };
    case "program":
      // The digest becomes a file's name.
      if (!isText(sha256, /^[0-9a-f]{64}$/)) throw new HandshakeError("The preamble has no digest of a program");
      return { for: purpose, sha256, size: integer("size", size, 0, Number.MAX_SAFE_INTEGER) };
    case "stdin":
    case "stdout":
    case "stderr":
      return { for: purpose, run: integer("run", run, 1, 0xffff_ffff) };
    case "port":
      return { for: purpose, port: integer("port", port, 1, 65_535) };
    default:
      throw new HandshakeError("The preamble names no purpose of a stream");
  }
}

function isText(value: unknown, pattern: RegExp): value is string {
  return typeof value === "string" && pattern.test(value);
}

function integer(name: string, value: unknown, least: number, most: number): number {
  if (Number.isInteger(value) && (value as number) >= least && (value as number) <= most) return value as number;
  throw new HandshakeError(`The preamble's ${name} is not ${least} to ${most}`);
}
