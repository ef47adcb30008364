/**
 * Messages over a stream: the length of each in 32 bits, big endian, and that much JSON.
 *
 * @module
 */
import type { Connection } from "./connection.ts";
import { lengthAndBytes } from "./bytes.ts";
import { ProtocolError } from "./errors.ts";

/** On Linux a program's arguments and environment take 2 MiB at most (ARG_MAX); JSON can double that. */
const MAX_MESSAGE_BYTES = 8 * 1024 * 1024;

/** Encodes a message. @throws RangeError where it is too long */
export function encodeMessage(message: unknown): Uint8Array {
  const bytes = new TextEncoder().encode(JSON.stringify(message));
  if (bytes.length > MAX_MESSAGE_BYTES) throw new RangeError(`A message of ${bytes.length} bytes is too long`);
  return lengthAndBytes(bytes);
}

/**
 * Reads messages until the stream's end.
 * @param first bytes of the stream that were read already
 * @throws ProtocolError where they are malformed, or the stream's own error
 */
export async function* readMessages(stream: Connection, first: Uint8Array): AsyncGenerator<unknown> {
  const reader = new PieceReader(stream, first);
  for (;;) {
    const header = await reader.take(4);
    if (!header) return;
    const length = new DataView(header.buffer, header.byteOffset, 4).getUint32(0);
    if (length > MAX_MESSAGE_BYTES) throw new ProtocolError(`A message of ${length} bytes is too long`);
    const bytes = await reader.take(length);
    if (!bytes) throw new ProtocolError("The stream ended within a message");
    let message: unknown;
    try {
      message = JSON.parse(new TextDecoder().decode(bytes));
    } catch (cause) {
      throw new ProtocolError("A message is not JSON", { cause });
    }
    yield message;
  }
}

/** Reads pieces of given lengths from a stream. */
export class PieceReader {
  readonly #stream: Connection;
  #chunks: Uint8Array[] = [];
  #length = 0;

  /** @param first bytes of the stream that were read already */
  constructor(stream: Connection, first: Uint8Array) {
    this.#stream = stream;
    this.#add(first);
  }

  /** Reads a copy of the next bytes. @returns undefined where the stream ends before the first @throws ProtocolError where it ends within */
  async take(length: number): Promise<Uint8Array | undefined> {
    while (this.#length < length) {
      const more = await this.#stream.read();
      if (more === null && this.#length > 0) throw new ProtocolError("The stream ended within a message");
      if (more === null) return undefined;
      this.#add(more);
    }
    const taken = new Uint8Array(length);
    for (let at = 0; at < length;) {
      const chunk = this.#chunks[0] as Uint8Array;
      const part = chunk.subarray(0, length - at);
      taken.set(part, at);
      at += part.length;
      if (part.length === chunk.length) this.#chunks.shift();
      else this.#chunks[0] = chunk.subarray(part.length);
    }
    this.#length -= length;
    return taken;
  }

  #add(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#chunks.push(bytes);
    this.#length += bytes.length;
  }
}
