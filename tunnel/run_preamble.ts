/**
 * What opens each stream of `kurun run`; the client opens them all. A record says what the stream is for. The supervisor answers with a
 * record for {@link readAnswer}. docs/protocol.md says what follows.
 *
 * @module
 */
import type { Connection } from "./connection.ts";
import { HandshakeError } from "./errors.ts";
import { encodeRecord, readRecord } from "./preamble.ts";

/** What a stream is for. */
export type RunPreamble =
  /** Messages both ways: requests and reports. */
  | { readonly for: "control" }
  /** A program's bytes, from the client. */
  | { readonly for: "program"; readonly sha256: string; readonly size: number }
  /** A run's input from the client, or its output to the client. */
  | { readonly for: "stdin" | "stdout" | "stderr"; readonly run: number }
  /** A connection to a port that the program listens on. */
  | { readonly for: "port"; readonly port: number };

/** Encodes the first bytes of a stream. */
export function encodeRunPreamble(preamble: RunPreamble): Uint8Array {
  return encodeRecord(JSON.stringify(preamble));
}

/** Reads the first bytes of a stream. @throws HandshakeError where they are not a preamble, or the stream's own error */
export async function readRunPreamble(stream: Connection): Promise<{ preamble: RunPreamble; rest: Uint8Array }> {
  const { text, rest } = await readRecord(stream);
  return { preamble: parse(text), rest };
}

function parse(text: string): RunPreamble {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new HandshakeError("The preamble is not JSON", { cause });
  }
  const { for: purpose, sha256, size, run, port } = (value ?? {}) as Record<string, unknown>;
  switch (purpose) {
    case "control":
      return { for: purpose };
    case "program":
      // The digest becomes a file's name.
      if (typeof sha256 !== "string" || !/^[0-9a-f]{64}$/.test(sha256)) throw new HandshakeError("The preamble has no digest of a program");
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

function integer(name: string, value: unknown, least: number, most: number): number {
  if (typeof value !== "number" || !Number.isInteger(value) || value < least || value > most) {
    throw new HandshakeError(`The preamble's ${name} is not ${least} to ${most}`);
  }
  return value;
}
