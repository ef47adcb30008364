/**
 * The tunnel: many streams of bytes over one transport, with flow control, after a handshake in which both sides prove that they hold the
 * session's key. docs/protocol.md has the rules. It depends on neither Deno nor Kubernetes nor WebSockets.
 *
 * ```ts
 * const [here, there] = memoryTransportPair(); // tests/memory_transport.ts; in production a WebSocketTransport at each end
 * const now = () => performance.now();
 * const client = new Session(here, { role: "client", now });
 * new Session(there, { role: "server", now, onStream: async (stream) => stream.write((await stream.read())!) });
 * const stream = client.open(new TextEncoder().encode("hello"));
 * new TextDecoder().decode((await stream.read())!); // "hello"
 * ```
 *
 * @module
 */
export * from "./connection.ts";
export * from "./errors.ts";
export * from "./handshake.ts";
export { type Hello, importKey, KEY_BYTES, PROTOCOL_VERSION } from "./hello.ts";
export { type KeepAlive, keepAlive } from "./keepalive.ts";
export { NativeConnection, type NativeOptions, type NativeSocket } from "./native_connection.ts";
export * from "./preamble.ts";
export { encodeMessage, readMessages } from "./messages.ts";
export { ResendBuffer, ResumableReceiver, type ResumableSink, type ResumableSource, sendResumable } from "./resumable.ts";
export * from "./run_messages.ts";
export { release } from "./read_buffers.ts";
export { INITIAL_WINDOW, WindowBudget } from "./receive_window.ts";
export { MAX_FRAME_BYTES, MAX_STREAMS, Session, type SessionEnd, type SessionOptions } from "./session.ts";
export { SocketConnection } from "./socket_connection.ts";
export { Stream, type StreamHost } from "./stream.ts";
export type { Transport, TransportEnd } from "./transport.ts";
