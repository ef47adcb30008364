import {
  handshakeAsServer,
  HandshakeError,
  type HandshakeOptions,
  NativeConnection,
  sendRefusal,
  Session,
  type Stream,
  type Transport,
} from "../../tunnel/mod.ts";
import { answerOpening, type Headers, OpeningError } from "../../tunnel/web_socket/opening.ts";
import { WebSocketTransport } from "../../tunnel/web_socket/web_socket_transport.ts";
import { acceptAll } from "../net/accept_all.ts";
import { OwnSockets } from "../net/own_sockets.ts";
import { listenOnAll, peerAddress } from "../net/sockets.ts";
import { sparingly } from "../net/sparing_log.ts";
import { Unproven } from "../net/unproven.ts";
import { ClientHistory } from "./client_history.ts";
import { CloseCode, type LiveClient } from "./live_client.ts";
import type { ReachCheck } from "./reach_check.ts";

/** Connections of unproven peers at once, TLS handshakes included. */
const MAX_UNPROVEN = 16;
/** Longer than a proof or an answer may take. */
const UNPROVEN_MS = 5_000;
/** How long a peer may take from its first byte to its proof. */
const PROOF_MS = 3_000;
/** No message is longer: a batch of frames is at most 64 KiB. */
const MAX_MESSAGE_BYTES = 256 * 1024;
/** Our own messages are never cut into fragments. */
const MAX_FRAGMENTS = 16;
/** The longest head of a request. */
const MAX_HEAD_BYTES = 16 * 1024;
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

/** Accepts the client's WebSocket at /tunnel, and answers /healthz, /reachable and /client. Ends when the listener is closed. */
export function openControlPort(options: ControlPortOptions): Deno.TlsListener {
  const { port, cert, key } = options;
  const listener = listenOnAll((hostname) => Deno.listenTls({ port, hostname, cert, key }));
  const sockets = new OwnSockets();
  sockets.prepareListeners();
  const control = new ControlPort(options, sockets);
  void acceptAll(listener, (socket) => control.serve(socket));
  return listener;
}

class ControlPort {
  readonly #options: ControlPortOptions;
  readonly #sockets: OwnSockets;
  readonly #unproven = new Unproven(MAX_UNPROVEN, UNPROVEN_MS);
  readonly #history = new ClientHistory(() => new Date());
  readonly #strangers: (line: string) => void;

  constructor(options: ControlPortOptions, sockets: OwnSockets) {
    this.#options = options;
    this.#sockets = sockets;
    this.#strangers = sparingly(options.log);
  }

  /** Serves one connection until its end, or until its peer has proven itself. Never rejects. */
  async serve(socket: Deno.TlsConn): Promise<void> {
    const { remoteAddr } = socket;
    const from = peerAddress(remoteAddr);
    const file = this.#sockets.take(socket);
    // Deno's close() cancels reads, but not a handshake or a write, which may never end.
    const connection = new NativeConnection(socket, { copyBelow: 0, cut: () => file?.reset(), closing: () => file?.release() });
    const proven = this.#unproven.add(remoteAddr.hostname, () => connection.reset());
    try {
      const transport = await this.#answer(connection);
      if (transport) await this.#admit(transport, from, proven);
    } catch (error) {
      // The first read does the TLS handshake: unlike `handshake()`, it ends when the connection is closed.
      if (error instanceof Deno.errors.InvalidData) this.#strangers(`TLS handshake with ${from}: ${error.message}`);
      if (error instanceof OpeningError) await end(connection, response("400 Bad Request")).catch(() => connection.reset());
      else connection.reset();
    } finally {
      proven();
    }
  }

  /** Answers a request. @returns the tunnel's transport where it is for one */
  async #answer(connection: NativeConnection): Promise<Transport | undefined> {
    const { method, target, headers } = await readRequest(connection);
    if (target.split("?")[0] === "/tunnel" && headers.has("upgrade")) {
      // The Service has the next Pod too: the client's next dial may reach it.
      if (this.#options.live.draining) return await end(connection, response("503 Service Unavailable"));
      await connection.write(await answerOpening(method, headers, PROTOCOL));
      return new WebSocketTransport(connection, {
        role: "server",
        limits: { messageBytes: MAX_MESSAGE_BYTES, fragments: MAX_FRAGMENTS },
      });
    }
    const found = await this.#answerTo(target);
    return await end(connection, response(found ? "200 OK" : "404 Not Found", found ?? { error: "not found" }));
  }

  async #answerTo(target: string): Promise<unknown> {
    if (target === "/healthz") return { ok: true };
    if (target === "/reachable") return { reached: await this.#options.reach.run() };
    return target === "/client" ? this.#history.answer() : undefined;
  }

  async #admit(transport: Transport, from: string, proven: () => void): Promise<void> {
    const { handshake, live, log, onStream } = this.#options;
    try {
      const { hello, rest } = await handshakeAsServer(transport, { ...handshake, signal: AbortSignal.timeout(PROOF_MS) });
      proven();
      const taker = this.#history.replacedBy(hello);
      if (taker) {
        log(`client ${hello.who} from ${hello.from} came back, but ${taker.who} from ${taker.from} has taken the session over`);
        transport.close(CloseCode.replaced, `replaced by ${taker.who} from ${taker.from}`);
        return;
      }
      const session = new Session(transport, {
        role: "server",
        ...(onStream ? { onStream } : {}),
        now: () => performance.now(),
        onEnd: ({ transport, error }) => {
          log(`client ${hello.who} from ${hello.from} left: ${error?.message ?? transport.code}`);
          this.#history.left(live.session !== undefined);
        },
      });
      for (const message of rest) session.receive(message);
      log(`client ${hello.who} from ${hello.from} connected`);
      this.#history.arrived(hello);
      live.attach(session, hello);
    } catch (error) {
      this.#strangers(`peer ${from} was ${error instanceof HandshakeError ? "rejected" : "disconnected"}: ${(error as Error).message}`);
      transport.onmessage = undefined;
      if (!(error instanceof HandshakeError)) return transport.destroy();
      sendRefusal(transport, "the proof of the session's key is missing or wrong");
      transport.close(CloseCode.unproven, "not proven");
      // It counts as unproven until it is closed.
      if (!transport.ended) await new Promise<void>((resolve) => transport.onclose = () => resolve());
    }
  }
}

/** Reads the head of a request; nothing follows it before the answer. @throws where it is not HTTP/1.1, or the connection ends */
async function readRequest(connection: NativeConnection): Promise<{ method: string; target: string; headers: Headers }> {
  let text = "";
  while (!text.includes("\r\n\r\n")) {
    const bytes = await connection.read();
    if (bytes === null || text.length > MAX_HEAD_BYTES) throw new Error("The request has no end");
    text += new TextDecoder("latin1").decode(bytes);
  }
  const [first = "", ...lines] = text.slice(0, text.indexOf("\r\n\r\n")).split("\r\n");
  const [, method, target] = /^([A-Z]+) (\/[!-~]*) HTTP\/1\.1$/.exec(first) ?? [];
  if (!method || !target) throw new OpeningError("the request is not HTTP/1.1");
  const headers = new Map<string, string[]>();
  for (const line of lines) {
    const [name = "", value = ""] = line.split(/:\s*(.*)/, 2);
    headers.set(name.toLowerCase(), [...headers.get(name.toLowerCase()) ?? [], value.trim()]);
  }
  return { method, target, headers };
}

function response(status: string, answer?: unknown): Uint8Array {
  const body = answer === undefined ? "" : `${JSON.stringify(answer)}\n`;
  const type = answer === undefined ? "" : "Content-Type: application/json\r\n";
  return new TextEncoder().encode(`HTTP/1.1 ${status}\r\n${type}Content-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`);
}

/** Sends the last bytes, and waits for the peer to close the connection: what it still sends would reset it before they are read. */
async function end(connection: NativeConnection, bytes: Uint8Array): Promise<undefined> {
  await connection.write(bytes);
  connection.closeWrite();
  while (await connection.read() !== null);
}
