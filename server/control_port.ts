import { createServer, type Server } from "node:https";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
// @ts-types="@types/ws"
import { type WebSocket, WebSocketServer } from "ws";
import {
  handshakeAsServer,
  HandshakeError,
  type HandshakeOptions,
  sendRefusal,
  Session,
  type Transport,
  type WebSocketLike,
  WebSocketTransport,
} from "../tunnel/mod.ts";
import { listen } from "./listen.ts";
import type { ReachCheck } from "./reach_check.ts";
import { CloseCode, type LiveClient } from "./live_client.ts";

/** A peer has this long from its first byte to its proof. */
const PROOF_MS = 3_000;
/** Connections that have not proven themselves; when one more comes the oldest goes, so that a flood cannot keep the client out. */
const MAX_UNPROVEN = 8;
/** No message is longer: a batch of frames is at most 64 KiB. */
const MAX_MESSAGE_BYTES = 256 * 1024;

/** What the control port needs. */
export interface ControlPortOptions {
  readonly port: number;
  /** PEM of the certificate and the key that the client made. */
  readonly cert: string;
  readonly key: string;
  readonly handshake: Omit<HandshakeOptions, "signal">;
  readonly live: LiveClient;
  readonly reach: ReachCheck;
  readonly log: (line: string) => void;
}

/** Takes the client's WebSocket at /tunnel, and answers /healthz and /reachable. @returns once it listens */
export async function openControlPort(options: ControlPortOptions): Promise<Server> {
  const webSockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: MAX_MESSAGE_BYTES,
    autoPong: false,
  });
  const unproven = new Unproven();
  const server = createServer(
    { cert: options.cert, key: options.key, headersTimeout: PROOF_MS, requestTimeout: PROOF_MS },
    (request, response) => void answer(request, response, options.reach).catch(() => response.destroy()),
  );
  server.on("secureConnection", (socket: Duplex) => unproven.add(socket));
  server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Uint8Array) => {
    // Not by URL, which throws for what anybody may send here ("//"), and the process would end.
    if (request.url?.split("?")[0] !== "/tunnel") {
      socket.destroy();
      return;
    }
    webSockets.handleUpgrade(request, socket, head as never, (webSocket: WebSocket) => {
      const transport = new WebSocketTransport(webSocket as unknown as WebSocketLike);
      admit(transport, options, () => unproven.delete(socket)).catch((error) => {
        options.log(`a peer was cut: ${error.message}`);
        transport.destroy();
      });
    });
  });
  await listen(server, options.port);
  return server;
}

async function answer(request: IncomingMessage, response: ServerResponse, reach: ReachCheck): Promise<void> {
  const healthy = request.url === "/healthz";
  const reached = request.url === "/reachable" && await reach.run();
  const known = healthy || request.url === "/reachable";
  response.writeHead(known ? 200 : 404, { "content-type": "application/json", connection: "close" });
  response.end(JSON.stringify(healthy ? { ok: true } : known ? { reached } : { error: "not found" }) + "\n");
}

async function admit(transport: Transport, options: ControlPortOptions, proven: () => void): Promise<void> {
  try {
    const { hello, rest } = await handshakeAsServer(transport, { ...options.handshake, signal: AbortSignal.timeout(PROOF_MS) });
    proven();
    const session = new Session(transport, {
      role: "server",
      now: () => performance.now(),
      onEnd: ({ transport, error }) => options.log(`client ${hello.who} from ${hello.from} left: ${error?.message ?? transport.code}`),
    });
    for (const message of rest) session.receive(message);
    options.log(`client ${hello.who} from ${hello.from} connected`);
    options.live.attach(session, hello);
  } catch (error) {
    if (!(error instanceof HandshakeError)) throw error;
    options.log(`a peer was turned away: ${error.message}`);
    sendRefusal(transport, "the proof of the session's key is missing or wrong");
    transport.close(CloseCode.unproven, "not proven");
  }
}

/** Connections whose peers have not proven themselves. */
class Unproven {
  readonly #sockets = new Set<Duplex>();

  add(socket: Duplex): void {
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket));
    if (this.#sockets.size <= MAX_UNPROVEN) return;
    const [oldest] = this.#sockets;
    if (!oldest) return;
    this.#sockets.delete(oldest);
    oldest.destroy();
  }

  delete(socket: Duplex): void {
    this.#sockets.delete(socket);
  }
}
