/**
 * Buffers that reads fill, reused once nobody looks at their bytes any more. At 200 MB/s there would be 3,000 new ones a second, and those
 * that the garbage collector had not freed yet took 60 MB.
 *
 * Whoever takes a buffer holds all its bytes. Held bytes are passed on, and each is released once, in whatever parts; then the buffer is
 * free. Bytes that nobody releases cost only their buffer, which the garbage collector frees.
 *
 * @module
 */

/** Room before the bytes of a read for the headers of a tunnel's frame and of a WebSocket's: 12 and 14 bytes. */
export const HEADROOM_BYTES = 32;
/**
 * A read and its headers fill four TLS records of 16 KiB (RFC 8446, 5.1) and one write. If the read alone did, its last 26 bytes would take
 * a write, a record and a read of their own in each process on the way.
 */
const BUFFER_BYTES = 64 * 1024;
/** The most that one read returns. */
export const READ_BYTES = BUFFER_BYTES - HEADROOM_BYTES;
/** Smaller parts are copied: a slow reader of a few bytes must not hold a whole buffer. */
const HOLD_BYTES = 16 * 1024;
/** How many free buffers are kept; the rest are left to the garbage collector. */
const KEPT = 64;

const free: ArrayBuffer[] = [];
const accounts = new WeakMap<ArrayBufferLike, { held: number }>();

/** Takes a buffer of {@link READ_BYTES}, with {@link HEADROOM_BYTES} before it. */
export function takeReadBuffer(): Uint8Array<ArrayBuffer> {
  const buffer = free.pop() ?? new ArrayBuffer(BUFFER_BYTES);
  const account = accounts.get(buffer);
  if (account) account.held = READ_BYTES;
  else accounts.set(buffer, { held: READ_BYTES });
  return new Uint8Array(buffer, HEADROOM_BYTES);
}

/** Holds large bytes that the runtime has allocated, alone in their buffer: its memory is freed as soon as they are released. */
export function adopt(bytes: Uint8Array): void {
  if (bytes.length >= HOLD_BYTES && bytes.length === bytes.buffer.byteLength) accounts.set(bytes.buffer, { held: bytes.length });
}

/** Makes a part of bytes that somebody else will release last longer: it is held once more, or copied where it is small. */
export function keep(part: Uint8Array): Uint8Array {
  const account = accounts.get(part.buffer);
  if (!account) return part;
  if (part.length < HOLD_BYTES) return part.slice();
  account.held += part.length;
  return part;
}

/** Adds bytes of the headroom before held bytes to them. */
export function withRoomBefore(bytes: Uint8Array, room: number): Uint8Array {
  const account = accounts.get(bytes.buffer);
  if (account) account.held += room;
  return new Uint8Array(bytes.buffer, bytes.byteOffset - room, room + bytes.length);
}

/** Whether somebody will release these bytes. */
export function isHeld(bytes: Uint8Array): boolean {
  return (accounts.get(bytes.buffer)?.held ?? 0) > 0;
}

/** Whether there is headroom before bytes, since they are the first of a read. */
export function hasHeadroom(bytes: Uint8Array): boolean {
  return bytes.byteOffset === HEADROOM_BYTES && bytes.buffer.byteLength === BUFFER_BYTES && accounts.has(bytes.buffer);
}

/** Says that nobody looks at these bytes any more. Bytes of other buffers are ignored. */
export function release(bytes: Uint8Array): void {
  const buffer = bytes.buffer as ArrayBuffer;
  const account = accounts.get(buffer);
  if (!account) return;
  account.held -= bytes.length;
  if (account.held > 0) return;
  if (buffer.byteLength !== BUFFER_BYTES) {
    accounts.delete(buffer);
    buffer.transfer(0);
  } else if (free.length < KEPT) free.push(buffer);
}
