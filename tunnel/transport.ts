/**
 * What a tunnel runs over: something that carries messages of bytes, whole and in order, both ways.
 *
 * The real one is a WebSocket through the API server; tests use {@link memoryTransportPair}.
 * @module
 */

/** Why a transport ended. `code` is a WebSocket close code (RFC 6455, 7.4): 1006 where none was sent. */
export interface TransportEnd {
  readonly code: number;
  readonly reason: string;
}

/** Carries messages of bytes, whole and in order. All callbacks are called from the event loop, never from within `send`. */
export interface Transport {
  /** Hands one message over. The bytes belong to the transport from here on. After the end it does nothing. */
  send(message: Uint8Array): void;
  /** Bytes given to `send` that the network has not taken yet. */
  readonly buffered: number;
  /** How it ended, once it has. */
  readonly ended: TransportEnd | undefined;
  /** Takes each message as it arrives. The bytes belong to the receiver. Set it before giving up the event loop, or messages are lost. */
  onmessage: ((message: Uint8Array) => void) | undefined;
  /** Called when `buffered` has sunk after some of it was taken. */
  ondrain: (() => void) | undefined;
  /** Called once when the transport has ended, whoever ended it. */
  onclose: ((end: TransportEnd) => void) | undefined;
  /**
   * Ends it once what was sent has left, telling the other side why.
   * @param code a WebSocket close code: 1000, or 4000 to 4999
   * @param reason at most 123 bytes of UTF-8 (RFC 6455, 5.5); longer ones are cut
   */
  close(code: number, reason: string): void;
  /** Ends it at once; what was not sent is dropped. */
  destroy(): void;
}

/** The most that a close reason may take (RFC 6455, 5.5: control frames carry 125 bytes, two are the code). */
const MAX_CLOSE_REASON_BYTES = 123;

/** Cuts a close reason to what a close frame carries, never inside a character. */
export function cutCloseReason(reason: string): string {
  const bytes = new TextEncoder().encode(reason);
  if (bytes.length <= MAX_CLOSE_REASON_BYTES) return reason;
  let end = MAX_CLOSE_REASON_BYTES;
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return new TextDecoder().decode(bytes.subarray(0, end));
}
