/** The reasons of a yamux go-away frame (yamux spec, "Go Away Message"). */
export const GoAwayCode = { normal: 0, protocolError: 1, internalError: 2 } as const;

/** The other side broke the protocol; the session is over and it is told so. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
}

/** One stream was reset, by the other side or by us; the session goes on. */
export class StreamResetError extends Error {
  override readonly name = "StreamResetError";
}

/** The session that a stream belonged to has ended; what was under way may or may not have arrived. */
export class SessionEndedError extends Error {
  override readonly name = "SessionEndedError";
}

/** As many streams are open as a session may have; try again when one has ended. */
export class StreamLimitError extends Error {
  override readonly name = "StreamLimitError";
}

/** A hello, a proof or a preamble was not as it must be. The message is safe to show: it holds nothing secret. */
export class HandshakeError extends Error {
  override readonly name = "HandshakeError";
}
