import { createServer, type Server, type Socket } from "node:net";
import {
  encodePreamble,
  type Preamble,
  type Session,
  SessionEndedError,
  SocketConnection,
  type Stream,
  StreamLimitError,
} from "../tunnel/mod.ts";
import { CallerConnection, carry, NobodyConnectedError } from "./caller.ts";
import { connectionLine } from "./connection_line.ts";
import type { ReachCheck } from "./reach_check.ts";
import { listen } from "./listen.ts";
import type { LiveClient } from "./live_client.ts";
import { type Terminated, TlsHandshakeError, type TlsTerminator } from "./tls_terminator.ts";

/** Idle callers are asked after so long whether they are still there. */
const KEEP_ALIVE_MS = 30_000;
/** How long to wait between looks when every stream is taken. */
const FULL_RETRY_MS = 50;

/** What a request port needs. */
export interface RequestPortOptions {
  readonly port: number;
  readonly session: string;
  readonly live: LiveClient;
  readonly reach: ReachCheck;
  /** How long a caller waits for a client, in milliseconds. */
  readonly holdMs: number;
  /** Ends callers' TLS, where the port serves it. */
  readonly tls?: TlsTerminator;
  readonly log: (line: string) => void;
  /** Whether each connection gets a line. */
  readonly verbose?: boolean;
}

/** Accepts callers, each of which becomes one stream to the client. @returns once it listens, on all addresses */
export async function openRequestPort(options: RequestPortOptions): Promise<Server> {
  const server = createServer({ allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS });
  server.on("connection", (socket: Socket) => {
    serve(socket, options).catch((error) => {
      options.log(`a caller was cut: ${error.message}`);
      socket.destroy();
    });
  });
  await listen(server, options.port);
  return server;
}

async function serve(socket: Socket, options: RequestPortOptions): Promise<void> {
  const started = performance.now();
  // A socket that listens on IPv6 gives IPv4 callers as ::ffff:10.0.0.1 (RFC 4291, 2.5.5.2).
  const from = `${socket.remoteAddress?.replace(/^::ffff:/, "")}:${socket.remotePort}`;
  const port = socket.localPort ?? options.port;
  const raw = new SocketConnection(socket);
  if (await options.reach.isOwn(socket)) return;
  const inside = await endTls(raw, from, options);
  if (!inside) return;
  const caller = new CallerConnection(inside.connection, options.session);
  const preamble = { port, from, ...(inside.alpn ? { alpn: inside.alpn } : {}) };
  const stream = await openStream(options, preamble);
  if (stream instanceof Error) caller.reset(stream);
  const end = stream instanceof Error ? { forth: 0, back: 0, error: stream } : await carry(caller, stream);
  if (options.verbose) options.log(connectionLine(preamble, end, performance.now() - started));
}

/** What is inside a caller's TLS, or the connection itself where the port serves none; nothing where the handshake failed. */
async function endTls(raw: SocketConnection, from: string, { tls, log }: RequestPortOptions): Promise<Terminated | undefined> {
  if (!tls) return { connection: raw };
  try {
    return await tls.terminate(raw);
  } catch (error) {
    const known = error instanceof TlsHandshakeError;
    if (!known) raw.reset();
    if (!known || !error.silent) log(`TLS handshake with ${from}: ${(error as Error).message}`);
    return undefined;
  }
}

/** A stream to the client, as soon as there is one and it takes one, or why there is none within the hold. */
async function openStream({ live, holdMs }: RequestPortOptions, preamble: Preamble): Promise<Stream | Error> {
  const until = performance.now() + holdMs;
  for (;;) {
    const session: Session | undefined = await live.wait(Math.max(0, until - performance.now()));
    if (!session) return new NobodyConnectedError();
    try {
      return session.open(encodePreamble(preamble));
    } catch (error) {
      const mayPass = error instanceof StreamLimitError || error instanceof SessionEndedError;
      if (!mayPass || performance.now() >= until) return error as Error;
      await new Promise((resolve) => setTimeout(resolve, FULL_RETRY_MS));
    }
  }
}
