/** Codes of a yamux go-away frame (yamux spec, "Go Away Message"). */
export const GoAwayCode = { normal: 0, protocolError: 1 } as const;

/** The other side broke the protocol. The session ends, and the other side is told so. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
}

/** One stream was reset, by either side; the session continues. */
export class StreamResetError extends Error {
  override readonly name = "StreamResetError";
}

/** The session of a stream has ended; what was under way may or may not have arrived. */
export class SessionEndedError extends Error {
  override readonly name = "SessionEndedError";
}

/** The session has as many open streams as it may have; try again when one has ended. */
export class StreamLimitError extends Error {
  override readonly name = "StreamLimitError";
}

/** A hello, a proof or a preamble was malformed or wrong. The message is safe to show: it holds nothing secret. */
export class HandshakeError extends Error {
  override readonly name = "HandshakeError";
}
