import { createServer, type Server } from "node:https";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import {
  handshakeAsServer,
  HandshakeError,
  type HandshakeOptions,
  sendRefusal,
  Session,
  SocketConnection,
  type Stream,
  type Transport,
} from "../../tunnel/mod.ts";
import { answerOpening } from "../../tunnel/web_socket/opening.ts";
import { WebSocketTransport } from "../../tunnel/web_socket/web_socket_transport.ts";
import { ClientHistory } from "./client_history.ts";
import { listen, peerAddress } from "../net/sockets.ts";
import type { ReachCheck } from "./reach_check.ts";
import { CloseCode, type LiveClient } from "./live_client.ts";
import { sparingly } from "../net/sparing_log.ts";
import { Unproven } from "./unproven.ts";

/** How long a peer may take from its first byte to its proof. */
const PROOF_MS = 3_000;
/** No message is longer: a batch of frames is at most 64 KiB. */
const MAX_MESSAGE_BYTES = 256 * 1024;
/** Our own messages are never cut into fragments. */
const MAX_FRAGMENTS = 16;
const PROTOCOL = "kurun.v1";

/** What the control port needs. */
export interface ControlPortOptions {
  readonly port: number;
  /** PEM of the certificate and the key that the client made. */
  readonly cert: string;
  readonly key: string;
  readonly handshake: Omit<HandshakeOptions, "signal">;
  readonly live: LiveClient;
  readonly reach: ReachCheck;
  /** Takes the streams that the client opens; without it they are refused. */
  readonly onStream?: (stream: Stream) => void;
  readonly log: (line: string) => void;
}

/** Accepts the client's WebSocket at /tunnel, and answers /healthz, /reachable and /client. @returns once it listens */
export async function openControlPort(options: ControlPortOptions): Promise<Server> {
  const unproven = new Unproven();
  const strangers = sparingly(options.log);
  const history = new ClientHistory(() => new Date());
  const server = createServer(
    { cert: options.cert, key: options.key, handshakeTimeout: PROOF_MS },
    (request, response) => void answer(request, response, options.reach, history).catch(() => response.destroy()),
  );
  server.on("connection", (socket: Socket) => unproven.add(socket));
  server.on("tlsClientError", (error: Error & { code?: string }, tls: { readonly _parent?: Socket }) => {
    // A peer that leaves silently may be a load balancer's probe; a cut from here looks the same. The TLS socket has lost its address.
    if (error.code !== "ECONNRESET") strangers(`TLS handshake with ${peerAddress(tls._parent ?? {})}: ${error.message}`);
  });
  server.on("upgrade", (request: IncomingMessage, socket: Socket, head: Uint8Array) => {
    // node has removed its own listener by now, and an error without a listener ends the process.
    socket.on("error", () => socket.destroy());
    // Not by URL: it throws for targets that anybody may send ("//"), which would end the process.
    if (request.url?.split("?")[0] !== "/tunnel") {
      socket.destroy();
      return;
    }
    // The Service has the next Pod too: the client's next dial may reach it.
    if (options.live.draining) {
      socket.end("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
      return;
    }
    const from = peerAddress(socket);
    openWebSocket(request, socket, head).then((transport) => {
      admit(transport, { ...options, strangers, from }, history, () => unproven.delete(socket)).catch((error) => {
        strangers(`peer ${from} was disconnected: ${error.message}`);
        transport.destroy();
      });
    }, () => socket.end("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"));
  });
  await listen(server, options.port);
  return server;
}

/** Answers a request for a WebSocket. @throws OpeningError where it is not one */
async function openWebSocket(request: IncomingMessage, socket: Socket, head: Uint8Array): Promise<Transport> {
  const headers = new Map(Object.entries(request.headersDistinct as Record<string, string[]>));
  socket.write(await answerOpening(request.method ?? "", headers, PROTOCOL));
  socket.setTimeout(0);
  socket.setNoDelay(true);
  if (head.length > 0) socket.unshift(head);
  return new WebSocketTransport(new SocketConnection(socket), {
    role: "server",
    limits: { messageBytes: MAX_MESSAGE_BYTES, fragments: MAX_FRAGMENTS },
  });
}

async function answer(request: IncomingMessage, response: ServerResponse, reach: ReachCheck, history: ClientHistory): Promise<void> {
  const found = await answerTo(request.url, reach, history);
  response.writeHead(found ? 200 : 404, { "content-type": "application/json", connection: "close" });
  response.end(JSON.stringify(found ?? { error: "not found" }) + "\n");
}

async function answerTo(url: string | undefined, reach: ReachCheck, history: ClientHistory): Promise<unknown> {
  if (url === "/healthz") return { ok: true };
  if (url === "/reachable") return { reached: await reach.run() };
  return url === "/client" ? history.answer() : undefined;
}

async function admit(
  transport: Transport,
  options: ControlPortOptions & { readonly strangers: (line: string) => void; readonly from: string },
  history: ClientHistory,
  proven: () => void,
): Promise<void> {
  try {
    const { hello, rest } = await handshakeAsServer(transport, { ...options.handshake, signal: AbortSignal.timeout(PROOF_MS) });
    proven();
    const taker = history.replacedBy(hello);
    if (taker) {
      options.log(`client ${hello.who} from ${hello.from} came back, but ${taker.who} from ${taker.from} has taken the session over`);
      transport.close(CloseCode.replaced, `replaced by ${taker.who} from ${taker.from}`);
      return;
    }
    const session = new Session(transport, {
      role: "server",
      ...(options.onStream ? { onStream: options.onStream } : {}),
      now: () => performance.now(),
      onEnd: ({ transport, error }) => {
        options.log(`client ${hello.who} from ${hello.from} left: ${error?.message ?? transport.code}`);
        history.left(options.live.session !== undefined);
      },
    });
    for (const message of rest) session.receive(message);
    options.log(`client ${hello.who} from ${hello.from} connected`);
    history.arrived(hello);
    options.live.attach(session, hello);
  } catch (error) {
    if (!(error instanceof HandshakeError)) throw error;
    options.strangers(`peer ${options.from} was rejected: ${error.message}`);
    sendRefusal(transport, "the proof of the session's key is missing or wrong");
    transport.close(CloseCode.unproven, "not proven");
  }
}
