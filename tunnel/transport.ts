/**
 * What a tunnel runs over: it carries messages both ways, complete and in order.
 *
 * In production it is a WebSocket through the API server; tests use one in memory.
 * @module
 */

/** Why a transport ended. `code` is a WebSocket close code (RFC 6455, 7.4): 1006 where none was sent. */
export interface TransportEnd {
  readonly code: number;
  readonly reason: string;
}

/** Carries messages, complete and in order. Callbacks are called from the event loop, never from within `send`. */
export interface Transport {
  /**
   * Sends one message: a held one (`read_buffers.ts`), with headroom before it, from where it is, and releases it once the network has taken
   * it; a copy of any other. After the end it is dropped.
   */
  send(message: Uint8Array): void;
  /** Bytes given to `send` that the network has not taken yet. */
  readonly buffered: number;
  /** How it ended, once it has. */
  readonly ended: TransportEnd | undefined;
  /**
   * Takes each message as it arrives, in one or more parts; `last` marks the end of a message. A part is valid only during the call: copy
   * it, or `keep` it (`read_buffers.ts`). Set this before yielding to the event loop, or messages are lost.
   */
  onmessage: ((part: Uint8Array, last: boolean) => void) | undefined;
  /** Called when `buffered` has decreased. */
  ondrain: (() => void) | undefined;
  /** Called once when the transport has ended, whoever ended it. */
  onclose: ((end: TransportEnd) => void) | undefined;
  /**
   * Ends it once everything sent has left, and tells the other side why.
   * @param code a WebSocket close code: 1000, or 4000 to 4999
   * @param reason at most 123 bytes of UTF-8 (RFC 6455, 5.5); longer ones are cut
   */
  close(code: number, reason: string): void;
  /** Ends it immediately; what has not left is dropped. */
  destroy(): void;
}

/** The most bytes of a close reason (RFC 6455, 5.5: control frames carry 125 bytes, of which the code takes two). */
const MAX_CLOSE_REASON_BYTES = 123;

/** Cuts a close reason to what a close frame carries, never within a character. */
export function cutCloseReason(reason: string): string {
  const bytes = new TextEncoder().encode(reason);
  if (bytes.length <= MAX_CLOSE_REASON_BYTES) return reason;
  let end = MAX_CLOSE_REASON_BYTES;
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return new TextDecoder().decode(bytes.subarray(0, end));
}
