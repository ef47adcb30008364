/**
 * WebSocket frames (RFC 6455, section 5) as they are written: the constants, the header, the mask and the close frame's payload.
 *
 *     FIN 1 | RSV 3 | opcode 4 | MASK 1 | length 7, 7+16 or 7+64 | masking key 32, where MASK is set | payload
 *
 * @module
 */

/** The opcodes in use (RFC 6455, 5.2); all others are reserved. */
export const Opcode = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** The longest header: two bytes, a length of 64 bits and a masking key. */
export const MAX_HEADER_BYTES = 14;

/** The longest payload of a control frame (RFC 6455, 5.5). */
export const MAX_CONTROL_BYTES = 125;

/** The close codes that this code sends or reports (RFC 6455, 7.4.1). */
export const CloseCode = {
  protocolError: 1002,
  unsupportedData: 1003,
  noStatus: 1005,
  abnormal: 1006,
  invalidPayload: 1007,
  policyViolation: 1008,
  tooLarge: 1009,
} as const;

/** The peer broke RFC 6455 or a limit of ours. The connection is over, and `code` is what a close frame tells the peer. */
export class WebSocketError extends Error {
  override readonly name = "WebSocketError";
  /** A close code: 1002, 1003, 1007, 1008 or 1009. */
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

/** The size of a frame's header, in bytes. */
export function frameHeaderBytes(payloadBytes: number, masked: boolean): number {
  return (payloadBytes < 126 ? 2 : payloadBytes < 65_536 ? 4 : 10) + (masked ? 4 : 0);
}

/**
 * Writes the header of an unfragmented frame.
 * @param target has {@link frameHeaderBytes} from `at` on
 * @param mask the masking key of a client's frame; undefined for a server's
 * @returns where the payload begins
 */
export function writeFrameHeader(target: Uint8Array, at: number, opcode: number, payloadBytes: number, mask: number | undefined): number {
  const maskBit = mask === undefined ? 0 : 0x80;
  target[at++] = 0x80 | opcode;
  if (payloadBytes < 126) {
    target[at++] = maskBit | payloadBytes;
  } else if (payloadBytes < 65_536) {
    target[at++] = maskBit | 126;
    target[at++] = payloadBytes >>> 8;
    target[at++] = payloadBytes;
  } else {
    target[at++] = maskBit | 127;
    at = writeUint32(target, at, Math.floor(payloadBytes / 0x1_0000_0000));
    at = writeUint32(target, at, payloadBytes);
  }
  return mask === undefined ? at : writeUint32(target, at, mask);
}

function writeUint32(target: Uint8Array, at: number, value: number): number {
  target[at++] = value >>> 24;
  target[at++] = value >>> 16;
  target[at++] = value >>> 8;
  target[at++] = value;
  return at;
}

/** Makes a masking key. */
export function randomMaskingKey(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0] as number;
}

/**
 * Masks or unmasks bytes in place (RFC 6455, 5.3).
 * @param offset how many bytes of the same payload came before these
 */
export function applyMask(bytes: Uint8Array, mask: number, offset: number): void {
  if (mask === 0) return;
  const key = (at: number) => (mask >>> (24 - 8 * ((at + offset) & 3))) & 0xff;
  const start = Math.min(bytes.length, (4 - (bytes.byteOffset & 3)) & 3);
  for (let at = 0; at < start; at++) bytes[at] = (bytes[at] as number) ^ key(at);
  const words = (bytes.length - start) >>> 2;
  if (words > 0) {
    // Four bytes at a time in the machine's own byte order: 64 KiB take 20 µs instead of 100.
    const wordKey = new Uint32Array(new Uint8Array([key(start), key(start + 1), key(start + 2), key(start + 3)]).buffer)[0] as number;
    const view = new Uint32Array(bytes.buffer, bytes.byteOffset + start, words);
    for (let at = 0; at < words; at++) view[at] = (view[at] as number) ^ wordKey;
  }
  for (let at = start + 4 * words; at < bytes.length; at++) bytes[at] = (bytes[at] as number) ^ key(at);
}

/** Whether a close frame may carry this code (RFC 6455, 7.4.1 and 7.4.2, and the IANA registry as of RFC 6455's successors). */
export function isCloseCode(code: number): boolean {
  return (code >= 1000 && code <= 1014 && code !== 1004 && code !== 1005 && code !== 1006) || (code >= 3000 && code <= 4999);
}

/** A close frame's payload. @param reason at most 123 bytes of UTF-8 */
export function encodeClose(code: number, reason: string): Uint8Array {
  const text = new TextEncoder().encode(reason);
  const payload = new Uint8Array(2 + text.length);
  payload[0] = code >>> 8;
  payload[1] = code;
  payload.set(text, 2);
  return payload;
}

/** Reads a close frame's payload; none at all is code 1005. @throws WebSocketError */
export function decodeClose(payload: Uint8Array): { code: number; reason: string } {
  if (payload.length === 0) return { code: CloseCode.noStatus, reason: "" };
  const code = ((payload[0] as number) << 8) | (payload[1] ?? 0);
  if (payload.length === 1 || !isCloseCode(code)) throw new WebSocketError(CloseCode.protocolError, "A close frame has no valid code");
  try {
    return { code, reason: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(payload.subarray(2)) };
  } catch {
    throw new WebSocketError(CloseCode.invalidPayload, "A close frame's reason is not UTF-8");
  }
}
