/**
 * What opens each stream: a record from the side that accepted the caller, and one back from the side that dials the upstream.
 * A record is its length in 16 bits, big endian, and that much UTF-8. The caller's bytes may follow without waiting for the answer.
 *
 * @module
 */
import type { Connection } from "./connection.ts";
import { HandshakeError } from "./errors.ts";

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
  readonly alpn?: string;
  /** Why the caller's TLS handshake failed, for people. Such a stream carries no caller: it only reports. */
  readonly failed?: string;
}

/** A record, and the bytes that arrived behind it. */
export interface RecordAndRest {
  readonly text: string;
  readonly rest: Uint8Array;
}

/** Encodes the first bytes of a stream. */
export function encodePreamble(preamble: Preamble): Uint8Array {
  return encodeRecord(JSON.stringify(preamble));
}

/** Reads the first bytes of a stream. @throws HandshakeError where they are not a preamble, or the stream's own error */
export async function readPreamble(stream: Connection): Promise<{ preamble: Preamble; rest: Uint8Array }> {
  const { text, rest } = await readRecord(stream);
  return { preamble: parsePreamble(text), rest };
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
  const { text, rest } = await readRecord(stream, first);
  if (text === "ok") return { rest };
  if (text === "waiting") return { waiting: true, rest };
  if (text.startsWith("refused: ")) return { refused: text.slice("refused: ".length), rest };
  throw new HandshakeError("The answer to a preamble is neither ok nor a refusal");
}

/** Encodes a record; a text that is too long is cut. */
export function encodeRecord(text: string): Uint8Array {
  let bytes = new TextEncoder().encode(text);
  if (bytes.length > MAX_RECORD_BYTES) bytes = bytes.slice(0, MAX_RECORD_BYTES);
  const record = new Uint8Array(2 + bytes.length);
  record[0] = bytes.length >>> 8;
  record[1] = bytes.length;
  record.set(bytes, 2);
  return record;
}

/** Reads a record. @param first bytes that were read already @throws HandshakeError where it is malformed, or the stream's own error */
export async function readRecord(stream: Connection, first: Uint8Array = new Uint8Array(0)): Promise<RecordAndRest> {
  let bytes = first;
  for (;;) {
    if (bytes.length >= 2) {
      const length = ((bytes[0] as number) << 8) | (bytes[1] as number);
      if (length > MAX_RECORD_BYTES) throw new HandshakeError(`A record of ${length} bytes is too long`);
      if (bytes.length >= 2 + length) {
        return { text: new TextDecoder().decode(bytes.subarray(2, 2 + length)), rest: bytes.subarray(2 + length) };
      }
    }
    const more = await stream.read();
    if (more === null) throw new HandshakeError("The stream ended before its record was whole");
    const joined = new Uint8Array(bytes.length + more.length);
    joined.set(bytes);
    joined.set(more, bytes.length);
    bytes = joined;
  }
}

function parsePreamble(text: string): Preamble {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new HandshakeError("The preamble is not JSON", { cause });
  }
  if (typeof value !== "object" || value === null) throw new HandshakeError("The preamble is not an object");
  const { port, from, alpn, failed } = value as Record<string, unknown>;
  if (typeof port !== "number" || !Number.isInteger(port) || port < 1 || port > 65535) {
    throw new HandshakeError("The preamble does not name a port");
  }
  // Both are shown on terminals, where line ends and escape sequences could pass for kurun's own output.
  if (typeof from !== "string" || !/^[\x21-\x7e]{1,100}$/.test(from)) throw new HandshakeError("The preamble does not say who called");
  if (failed !== undefined) {
    if (typeof failed !== "string" || !/^[\x20-\x7e]{1,300}$/.test(failed)) {
      throw new HandshakeError("The preamble's failure is not a sentence");
    }
    return { port, from, failed };
  }
  if (alpn === undefined) return { port, from };
  if (typeof alpn !== "string" || !/^[\x21-\x7e]{1,255}$/.test(alpn)) throw new HandshakeError("The preamble's ALPN is not a name");
  return { port, from, alpn };
}
