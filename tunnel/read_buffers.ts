/**
 * Read buffers that are reused once their bytes have been sent. At 200 MB/s there would be 3,000 new ones a second, and those that the
 * garbage collector had not freed yet took 60 MB.
 *
 * Each has room for a frame's header before its bytes, so that both leave as one message without a copy.
 *
 * @module
 */
import { HEADER_BYTES } from "./frame.ts";

/** The most that one read returns, which is the most that one frame carries. */
export const READ_BYTES = 64 * 1024;
/** How many free buffers are kept; the rest are left to the garbage collector. */
const KEPT = 64;

const free: Uint8Array<ArrayBuffer>[] = [];
/** How many bytes of each buffer in use were passed on. */
const out = new WeakMap<ArrayBufferLike, number>();

/** Takes a buffer of {@link READ_BYTES} to read into. */
export function takeReadBuffer(): Uint8Array {
  return free.pop() ?? new Uint8Array(new ArrayBuffer(HEADER_BYTES + READ_BYTES), HEADER_BYTES);
}

/** Returns the first `size` bytes of a buffer, to be passed on: nobody reads into it until they are given back. */
export function filled(buffer: Uint8Array, size: number): Uint8Array {
  out.set(buffer.buffer, size);
  return buffer.subarray(0, size);
}

/** Returns the bytes with room for a header before them, which the caller may write; undefined where they are not a whole read. */
export function withHeader(bytes: Uint8Array): Uint8Array | undefined {
  return out.get(bytes.buffer) === bytes.length ? new Uint8Array(bytes.buffer, 0, HEADER_BYTES + bytes.length) : undefined;
}

/**
 * Frees bytes that have been sent and that nobody uses any more. A part of a read is left to the garbage collector: other parts may still
 * be under way.
 */
export function giveBack(bytes: Uint8Array): void {
  const size = out.get(bytes.buffer);
  if (size === undefined || (bytes.length !== size && bytes.length !== HEADER_BYTES + size)) return;
  out.delete(bytes.buffer);
  if (free.length < KEPT) free.push(new Uint8Array(bytes.buffer as ArrayBuffer, HEADER_BYTES));
}
