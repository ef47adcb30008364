/**
 * Buffers that reads fill, used again once their bytes have been sent. At 200 MB/s new ones are 3,000 a second, and what the collector had
 * not taken yet was 60 MB of the process.
 *
 * Each has room before its bytes for a frame's header, so that header and bytes leave as one message without a copy.
 *
 * @module
 */
import { HEADER_BYTES } from "./frame.ts";

/** What a read may bring at most: a frame's payload at most. */
export const READ_BYTES = 64 * 1024;
/** Free buffers that are kept; more are left to the collector. */
const KEPT = 64;

const free: Uint8Array<ArrayBuffer>[] = [];
/** How many bytes were handed on of each buffer that is out. */
const out = new WeakMap<ArrayBufferLike, number>();

/** A buffer of {@link READ_BYTES} to read into. */
export function takeReadBuffer(): Uint8Array {
  return free.pop() ?? new Uint8Array(new ArrayBuffer(HEADER_BYTES + READ_BYTES), HEADER_BYTES);
}

/** The first `size` bytes of a buffer that was taken, to be handed on: nobody reads into it until they are given back. */
export function filled(buffer: Uint8Array, size: number): Uint8Array {
  out.set(buffer.buffer, size);
  return buffer.subarray(0, size);
}

/** The bytes with room for a header before them, which the caller may write; undefined where they are no whole read. */
export function withHeader(bytes: Uint8Array): Uint8Array | undefined {
  return out.get(bytes.buffer) === bytes.length ? new Uint8Array(bytes.buffer, 0, HEADER_BYTES + bytes.length) : undefined;
}

/**
 * Says that bytes have been sent and nobody looks at them any more. What is not the whole of a read, with its header or without, stays with
 * the collector: other parts of it may still be under way.
 */
export function giveBack(bytes: Uint8Array): void {
  const size = out.get(bytes.buffer);
  if (size === undefined || (bytes.length !== size && bytes.length !== HEADER_BYTES + size)) return;
  out.delete(bytes.buffer);
  if (free.length < KEPT) free.push(new Uint8Array(bytes.buffer as ArrayBuffer, HEADER_BYTES));
}
