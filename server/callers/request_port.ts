import { createServer, type Server, type Socket } from "node:net";
import {
  encodePreamble,
  type Preamble,
  type RelayEnd,
  SessionEndedError,
  SocketConnection,
  StreamLimitError,
  StreamResetError,
} from "../../tunnel/mod.ts";
import type { AdmissionFallback } from "./admission_fallback.ts";
import { CallerConnection, NobodyConnectedError } from "./caller.ts";
import { carry, DialTimeoutError, RefusedError } from "./dialed_stream.ts";
import type { OpenCallers } from "./open_callers.ts";
import type { ReachCheck } from "../control/reach_check.ts";
import { listen, peerAddress } from "../net/sockets.ts";
import type { LiveClient } from "../control/live_client.ts";
import { sparingly } from "../net/sparing_log.ts";
import { type Terminated, TlsHandshakeError, type TlsTerminator } from "./tls_terminator.ts";

/** TCP keep-alive of idle callers starts after this. */
const KEEP_ALIVE_MS = 30_000;

/** Concurrent callers: the 1,024 that streams carry, and some that wait. More are disconnected, to bound the Pod's memory. */
const MAX_CALLERS = 1_280;

/** What a request port needs. */
export interface RequestPortOptions {
  readonly port: number;
  readonly session: string;
  readonly live: LiveClient;
  readonly reach: ReachCheck;
  /** Keeps track of all connected callers. */
  readonly callers: OpenCallers;
  /** Answers admission requests in the program's place, where the user wants that. */
  readonly fallback?: AdmissionFallback | undefined;
  /** How long a caller waits for a client, in milliseconds. */
  readonly holdMs: number;
  /** Terminates callers' TLS, where the port serves it. */
  readonly tls?: TlsTerminator | undefined;
  readonly log: (line: string) => void;
  /** Whether each connection gets a line. */
  readonly verbose?: boolean;
}

/** Accepts callers; each becomes one stream to the client. @returns once it listens, on all addresses */
export async function openRequestPort(options: RequestPortOptions): Promise<Server> {
  const strangers = sparingly(options.log);
  const server = createServer({ allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS });
  server.maxConnections = MAX_CALLERS;
  server.on("connection", (socket: Socket) => {
    const left = options.callers.arrived();
    serve(socket, options, strangers)
      .catch((error) => {
        strangers(`a caller was disconnected: ${error.message}`);
        socket.destroy();
      })
      .finally(left);
  });
  await listen(server, options.port);
  return server;
}

async function serve(socket: Socket, options: RequestPortOptions, strangers: (line: string) => boolean): Promise<void> {
  const started = performance.now();
  const from = peerAddress(socket);
  const port = socket.localPort ?? options.port;
  const raw = new SocketConnection(socket);
  if (await options.reach.isOwn(socket)) return;
  const inside = await terminateTls(raw, options.tls, (why) => {
    // Reported to the client as sparingly as it is logged: each report is a stream that a stranger can cause.
    if (!strangers(`TLS handshake with ${from}: ${why}`)) return;
    reportFailure(options.live, { port, from, failed: why.replace(/[^\x20-\x7e]/g, "?").slice(0, 300) }).catch(() => {});
  });
  if (!inside) return;
  const caller = new CallerConnection(inside.connection, options);
  options.callers.add(caller);
  try {
    await serveCaller(caller, { port, from, alpn: inside.alpn }, started, options);
    await caller.finish();
  } finally {
    options.callers.delete(caller);
  }
}

async function serveCaller(caller: CallerConnection, preamble: Preamble, started: number, options: RequestPortOptions): Promise<void> {
  const stream = await options.live.open(encodePreamble(preamble), options.holdMs, () => caller.maxHold()) ?? new NobodyConnectedError();
  if (stream instanceof Error) caller.reset(stream);
  const end = stream instanceof Error ? { forth: 0, back: 0, error: stream } : await carry(caller, stream);
  if (options.verbose) options.log(connectionLine(preamble, end, performance.now() - started));
}

/** Tells the client, if one is connected, about a caller whose TLS handshake failed. */
async function reportFailure(live: LiveClient, preamble: Preamble): Promise<void> {
  if (!live.session) return;
  const stream = await live.open(encodePreamble(preamble), 0);
  if (stream && !(stream instanceof Error)) stream.closeWrite();
}

/** What is inside a caller's TLS, or the connection itself where the port serves no TLS; undefined where the handshake failed. */
async function terminateTls(
  raw: SocketConnection,
  tls: TlsTerminator | undefined,
  failed: (why: string) => void,
): Promise<Terminated | undefined> {
  if (!tls) return { connection: raw, alpn: undefined };
  try {
    return await tls.terminate(raw);
  } catch (error) {
    const known = error instanceof TlsHandshakeError;
    if (!known) raw.reset();
    if (!known || !error.silent) failed((error as Error).message);
    return undefined;
  }
}

/**
 * The log line of one caller's connection, with `--verbose`:
 *
 *     caller=10.244.0.1:52069 port=8444 alpn=- in=312 out=1204 ms=3.4 end=closed
 *
 * The server reports connections and not requests: everybody in the cluster can send it bytes, and whatever can be read in two ways
 * (request smuggling) fools only a program that acts on what it read. Requests are reported on the client's side.
 *
 * @param end `forth` counts bytes from the caller, `back` bytes to it, without the server's own answers (502, 503)
 * @param ms from the connection's first moment to its end
 */
export function connectionLine({ from, port, alpn }: Preamble, end: RelayEnd, ms: number): string {
  return `caller=${from} port=${port} alpn=${alpn ?? "-"} in=${end.forth} out=${end.back} ms=${ms.toFixed(1)} end=${howEnded(end.error)}`;
}

function howEnded(error: Error | undefined): string {
  if (!error) return "closed";
  if (error instanceof NobodyConnectedError) return "503 nobody connected";
  if (error instanceof RefusedError) return `502 ${error.message.replace(/\p{Cc}+/gu, " ")}`;
  if (error instanceof SessionEndedError) return "client lost";
  if (error instanceof StreamLimitError) return "503 too many callers";
  if (error instanceof DialTimeoutError) return "502 the client did not report in time whether it reached the program";
  if (error instanceof StreamResetError) return "reset by the client";
  return `caller left: ${error.message}`;
}
