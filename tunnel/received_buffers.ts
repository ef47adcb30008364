/**
 * The memory of large messages, freed as soon as their bytes were written on. The collector comes after some 64 MB of them, and later where
 * the machine is busy: 1 GB upwards took 201 to 218 MB on the laptop beside two busy cores, and takes 185 to 197.
 *
 * @module
 */
import { HEADER_BYTES } from "./frame.ts";

/** Smaller messages are left to the collector: to look after them costs more. */
const LARGE_BYTES = 16 * 1024;

/** Buffers that hold one received message and nothing else. */
const received = new WeakSet<ArrayBufferLike>();

/** Notes a message that has arrived. One that shares its buffer with others stays with the collector. */
export function noteReceived(message: Uint8Array): void {
  if (message.length > LARGE_BYTES && message.length === message.buffer.byteLength) received.add(message.buffer);
}

/** Says that bytes were written on and nobody looks at them any more: where they are a whole frame's, alone in its message, that is freed. */
export function freeReceived(bytes: Uint8Array): void {
  if (bytes.byteOffset !== HEADER_BYTES || bytes.length + HEADER_BYTES !== bytes.buffer.byteLength || !received.delete(bytes.buffer)) {
    return;
  }
  (bytes.buffer as ArrayBuffer).transfer(0);
}
