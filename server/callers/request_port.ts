import {
  encodePreamble,
  NativeConnection,
  type Preamble,
  type RelayEnd,
  SessionEndedError,
  StreamLimitError,
  StreamResetError,
} from "../../tunnel/mod.ts";
import type { AdmissionFallback } from "./admission_fallback.ts";
import { CallerConnection, NobodyConnectedError } from "./caller.ts";
import { carry, DialTimeoutError, RefusedError } from "./dialed_stream.ts";
import type { OpenCallers } from "./open_callers.ts";
import type { ReachCheck } from "../control/reach_check.ts";
import type { OwnSocket } from "../net/own_socket.ts";
import { OwnSockets } from "../net/own_sockets.ts";
import { acceptAll } from "../net/accept_all.ts";
import { listenOnAll, peerAddress } from "../net/sockets.ts";
import type { LiveClient } from "../control/live_client.ts";
import { sparingly } from "../net/sparing_log.ts";
import { TlsHandshakeError, TlsHandshakes } from "./tls_handshake.ts";
import type { CallersTls } from "./tls_port.ts";

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
  /** Callers' TLS, if it ends at the port. */
  readonly tls?: CallersTls | undefined;
  readonly log: (line: string) => void;
  /** Whether each connection gets a line. */
  readonly verbose?: boolean;
}

/** A port that callers connect to. */
export interface RequestPort {
  /** Its number. */
  readonly port: number;
  /** Accepts no more callers. */
  close(): void;
}

/** Accepts callers on all addresses; each becomes one stream to the client. @throws the system's error, or the certificate's */
export function openRequestPort(options: RequestPortOptions): RequestPort {
  const callers = new Callers(options);
  if (options.tls) return options.tls.open(options.port, (socket) => callers.accept(socket));
  const listener = listenOnAll((hostname) => Deno.listen({ port: options.port, hostname }));
  new OwnSockets().prepareListeners();
  void acceptAll(listener, (socket) => callers.accept(socket));
  return { port: (listener.addr as Deno.NetAddr).port, close: () => listener.close() };
}

/** The callers of one port. */
class Callers {
  readonly #options: RequestPortOptions;
  readonly #sockets = new OwnSockets();
  readonly #handshakes = new TlsHandshakes();
  /** Logs what strangers cause. @returns whether it did, because they can cause a lot */
  readonly #strangers: (line: string) => boolean;
  #open = 0;

  constructor(options: RequestPortOptions) {
    this.#options = options;
    this.#strangers = sparingly(options.log);
  }

  /** Serves one caller until its end. Never rejects. */
  async accept(socket: Deno.TcpConn | Deno.TlsConn): Promise<void> {
    const file = this.#sockets.take(socket);
    // It has gone already, or there are too many. Deno keeps one whose TLS handshake is unfinished until it has been reset.
    if (!file || this.#open >= MAX_CALLERS) {
      file?.reset();
      file?.release();
      return socket.close();
    }
    this.#open++;
    const left = this.#options.callers.arrived();
    const connection = new NativeConnection(socket, {
      // Past TLS it would send plain bytes.
      ...(speaksTls(socket) ? {} : { sendNow: (bytes) => file.send(bytes) }),
      cut: () => file.reset(),
      closing: () => file.release(),
    });
    try {
      await this.#serve(socket, connection, file);
    } catch (error) {
      if (!(error instanceof TlsHandshakeError)) this.#strangers(`a caller was disconnected: ${(error as Error).message}`);
      else if (error.reason === "failed") await this.#handshakes.goodbye();
      connection.reset();
    } finally {
      this.#open--;
      left();
    }
  }

  async #serve(socket: Deno.TcpConn | Deno.TlsConn, connection: NativeConnection, file: OwnSocket): Promise<void> {
    const options = this.#options;
    const started = performance.now();
    if (await options.reach.isOwn(() => file.look())) return connection.reset();
    const alpn = speaksTls(socket) ? await this.#handshake(socket, file) : undefined;
    const caller = new CallerConnection(connection, options);
    options.callers.add(caller);
    try {
      const from = peerAddress(socket.remoteAddr as Deno.NetAddr);
      await serveCaller(caller, { port: (socket.localAddr as Deno.NetAddr).port, from, alpn }, started, options);
      await caller.finish();
      // What the caller has not read yet may still have to be sent.
      await connection.gone;
    } finally {
      options.callers.delete(caller);
    }
  }

  /** Finishes a caller's TLS handshake. @returns what it negotiated @throws TlsHandshakeError, which is then reported already */
  async #handshake(socket: Deno.TlsConn, file: OwnSocket): Promise<string | undefined> {
    try {
      return await this.#handshakes.finish(socket, file);
    } catch (error) {
      if (error instanceof TlsHandshakeError && error.reason !== "left") this.#reportHandshake(socket, error.message);
      throw error;
    }
  }

  /** Reported to the client as sparingly as it is logged: each report is a stream that a stranger can cause. */
  #reportHandshake({ remoteAddr, localAddr }: Deno.TlsConn, why: string): void {
    const from = peerAddress(remoteAddr as Deno.NetAddr);
    if (!this.#strangers(`TLS handshake with ${from}: ${why}`)) return;
    const failed = why.replace(/[^\x20-\x7e]/g, "?").slice(0, 300);
    reportFailure(this.#options.live, { port: (localAddr as Deno.NetAddr).port, from, failed }).catch(() => {});
  }
}

function speaksTls(socket: Deno.TcpConn | Deno.TlsConn): socket is Deno.TlsConn {
  return "handshake" in socket;
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
