/**
 * Opens connections to the API server: TCP, possibly through a proxy's CONNECT, and TLS on top. All requests and WebSockets to a cluster
 * go through here, so that both are verified in the same way and fail with the same errors.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { connect as connectSocket, isIP, type Socket } from "node:net";
import { connect as connectSecure, type TLSSocket } from "node:tls";
import { ConnectionError, connectionErrorKind, type PeerCertificate } from "./connection_error.ts";

/** How to speak TLS with a server. Certificates and keys are PEM. */
export interface TlsSettings {
  /** Trusted authorities, instead of the system's. */
  readonly ca?: string | undefined;
  /** The client's certificate chain. */
  readonly cert?: string | undefined;
  /** The client's private key. */
  readonly key?: string | undefined;
  /** The name to send and to verify, if it is not the host. */
  readonly serverName?: string | undefined;
  /** Whether to accept any certificate. */
  readonly insecure?: boolean | undefined;
  /** The protocols to offer (ALPN, RFC 7301). @default {["http/1.1"]} */
  readonly alpn?: readonly string[] | undefined;
}

/** Where a connection leads, and through which proxy. */
export interface DialTarget {
  /** A name or an address, IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
  /** Absent for plain HTTP. */
  readonly tls?: TlsSettings | undefined;
  /** `http://` or `https://`, possibly with user and password. */
  readonly proxy?: URL | undefined;
  /** Whether the proxy gets requests with absolute URLs and forwards them (RFC 9112, section 3.2.2), so that CONNECT is not needed. */
  readonly forwarded?: boolean | undefined;
}

/** The limits of one attempt. */
export interface DialOptions {
  readonly signal?: AbortSignal | undefined;
  /** Until the end of the TLS handshake, in milliseconds. @default {10_000} */
  readonly timeoutMs?: number | undefined;
}

/** After this many milliseconds of silence TCP probes whether the other side is still there. */
const TCP_KEEP_ALIVE_MS = 30_000;
/** The longest accepted answer to a CONNECT, in bytes. */
const MAX_PROXY_ANSWER = 16 * 1024;

/**
 * Opens a connection that is ready for HTTP: without Nagle's delay, with TLS established and verified.
 *
 * @throws {ConnectionError} if that fails, with the reason
 */
export async function dial(target: DialTarget, options: DialOptions = {}): Promise<Socket> {
  const route = new Route(target);
  if (options.signal?.aborted) throw route.error("aborted", "the attempt was cancelled", options.signal.reason);
  const timeoutMs = options.timeoutMs ?? 10_000;
  const open: Socket[] = [];
  let stop!: (error: ConnectionError) => void;
  const stopped = new Promise<never>((_, reject) => stop = reject);
  stopped.catch(() => {});
  const timer = setTimeout(() => stop(route.error("timeout", `no answer within ${timeoutMs / 1000} s`)), timeoutMs);
  const abort = () => stop(route.error("aborted", "the attempt was cancelled", options.signal?.reason));
  options.signal?.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([openConnection(route, open), stopped]);
  } catch (error) {
    for (const socket of open.reverse()) abandon(socket);
    throw await explain(error, route, options.signal);
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener("abort", abort);
  }
}

/** The addresses of the target and the proxy as text, and errors that name them. */
class Route {
  readonly address: string;
  readonly proxy: string | undefined;

  constructor(readonly target: DialTarget) {
    this.address = hostAndPort(target.host, target.port);
    this.proxy = target.proxy === undefined ? undefined : `${target.proxy.protocol}//${target.proxy.host}`;
  }

  error(kind: ConnectionError["kind"], detail: string, cause?: unknown, certificate?: PeerCertificate): ConnectionError {
    return new ConnectionError(kind, { address: this.address, proxy: this.proxy, detail, cause, certificate });
  }
}

/** @param open gets every socket that is opened, so that the caller can close them if a later step fails */
async function openConnection(route: Route, open: Socket[]): Promise<Socket> {
  const { target } = route;
  let socket: Socket;
  if (target.proxy === undefined) {
    socket = await connectTcp(target.host, target.port, open);
  } else {
    socket = await connectToProxy(target.proxy, route, open);
    if (!target.forwarded) await askProxy(socket, target.proxy, route);
  }
  if (target.tls !== undefined) socket = await startTls(socket, target.host, target.tls, open);
  handOver(socket);
  return socket;
}

async function connectToProxy(proxy: URL, route: Route, open: Socket[]): Promise<Socket> {
  const host = unbracketed(proxy.hostname);
  const secure = proxy.protocol === "https:";
  if (secure && OLD_TLS) throw route.error("proxy", "an https:// proxy requires Deno 2.8 or newer");
  try {
    const socket = await connectTcp(host, Number(proxy.port || (secure ? 443 : 80)), open);
    return secure ? await startTls(socket, host, {}, open) : socket;
  } catch (error) {
    throw route.error("proxy", `the proxy cannot be reached: ${(error as Error).message}`, error);
  }
}

function connectTcp(host: string, port: number, open: Socket[]): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connectSocket({ host, port, autoSelectFamily: true });
    open.push(socket);
    socket.once("error", reject);
    socket.once("connect", () => {
      socket.off("error", reject);
      socket.setNoDelay(true);
      socket.setKeepAlive(true, TCP_KEEP_ALIVE_MS);
      holdReads(socket);
      resolve(socket);
    });
  });
}

/** Asks the proxy for a tunnel to the target: RFC 9110 section 9.3.6. */
function askProxy(socket: Socket, proxy: URL, route: Route): Promise<void> {
  return new Promise((resolve, reject) => {
    let answer = "";
    const done = (error?: Error) => {
      socket.off("data", onData).off("error", done).off("close", onClose);
      if (error === undefined) {
        holdReads(socket);
        resolve();
      } else {
        reject(route.error("proxy", error.message, error));
      }
    };
    const onClose = () => done(new Error("the proxy closed the connection without an answer"));
    const onData = (chunk: Buffer) => {
      answer += chunk.toString("latin1");
      const end = answer.indexOf("\r\n\r\n");
      if (end < 0) {
        if (answer.length > MAX_PROXY_ANSWER) done(new Error("the proxy's answer to CONNECT is not HTTP"));
        return;
      }
      const line = answer.slice(0, answer.indexOf("\r\n"));
      if (!/^HTTP\/1\.[01] 2\d\d( |$)/.test(line)) {
        done(new Error(`the proxy answered CONNECT with "${line.slice(0, 200)}"`));
        return;
      }
      // First of all: otherwise Deno 2.6 already waits for more to read.
      socket.pause();
      const rest = answer.slice(end + 4);
      done();
      if (rest !== "") socket.unshift(Buffer.from(rest, "latin1"));
    };
    socket.on("data", onData).on("error", done).on("close", onClose);
    resumeReads(socket);
    const lines = [`CONNECT ${route.address} HTTP/1.1`, `Host: ${route.address}`];
    for (const [name, value] of Object.entries(proxyHeaders(proxy))) lines.push(`${name}: ${value}`);
    socket.write(lines.join("\r\n") + "\r\n\r\n");
  });
}

/** The headers for a proxy: `Proxy-Authorization` if its URL has a user. */
export function proxyHeaders(proxy: URL): Record<string, string> {
  if (proxy.username === "") return {};
  const user = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`;
  return { "Proxy-Authorization": `Basic ${Buffer.from(user).toString("base64")}` };
}

function startTls(under: Socket, host: string, settings: TlsSettings, open: Socket[]): Promise<Socket> {
  const name = settings.serverName ?? host;
  return new Promise((resolve, reject) => {
    if (under.destroyed) return reject(new Error("closed before the TLS handshake"));
    let socket: TLSSocket;
    try {
      socket = connectSecure({
        socket: under,
        // The certificate is compared with it; the TCP connection is already established.
        host: name,
        ALPNProtocols: [...settings.alpn ?? ["http/1.1"]],
        rejectUnauthorized: settings.insecure !== true,
        // RFC 6066: SNI never has an address.
        ...(isIP(name) === 0 ? { servername: name } : {}),
        ...(settings.ca === undefined ? {} : { ca: settings.ca }),
        ...(settings.cert === undefined ? {} : { cert: settings.cert, key: settings.key }),
      });
    } catch (error) {
      // The certificate and the key do not belong together, or have an unknown format.
      reject(Object.assign(new Error((error as Error).message), { code: "KURUN_CLIENT_CERT" }));
      return;
    }
    open.push(socket);
    holdReads(socket);
    const onClose = () => reject(new Error("closed during the TLS handshake"));
    socket.once("error", reject).once("close", onClose);
    socket.once("secureConnect", () => {
      if (handshakeFailed(socket)) {
        resumeReads(socket); // the first read fails with the reason
        return;
      }
      socket.off("error", reject).off("close", onClose);
      resolve(socket);
    });
  });
}

/** Turns any error into a {@linkcode ConnectionError} that says as much as possible. */
async function explain(error: unknown, route: Route, signal?: AbortSignal): Promise<Error> {
  if (error instanceof ConnectionError) return error;
  const message = (error as Error).message;
  if ((error as { code?: string }).code === "KURUN_CLIENT_CERT") {
    return route.error("tls-client", `the client certificate cannot be used: ${message}`, error);
  }
  const kind = connectionErrorKind(error);
  if (kind !== "tls-untrusted" && kind !== "tls-expired" && kind !== "tls-name") return route.error(kind, message, error);
  // Deno 2.9 has the same code for "not trusted" and "expired": the certificate itself tells.
  const certificate = await peerCertificate(route.target, signal);
  const now = new Date();
  if (kind === "tls-untrusted" && certificate !== undefined) {
    if (certificate.validTo < now) return route.error("tls-expired", "its certificate has expired", error, certificate);
    if (certificate.validFrom > now) return route.error("tls-expired", "its certificate is not valid yet", error, certificate);
  }
  return route.error(kind, message, error, certificate);
}

/** The certificate that the server sends, without trusting it; undefined if it cannot be obtained. */
async function peerCertificate(target: DialTarget, signal?: AbortSignal): Promise<PeerCertificate | undefined> {
  try {
    const tls = { serverName: target.tls?.serverName, insecure: true };
    const socket = await dial({ ...target, tls }, { signal, timeoutMs: 3_000 });
    const shown = (socket as TLSSocket).getPeerCertificate();
    socket.destroy();
    const named = (name: unknown) => Object.values(name ?? {}).flat().join(", ");
    return {
      subject: named(shown.subject),
      issuer: named(shown.issuer),
      names: (shown.subjectaltname ?? "").split(", ")
        .map((name) => name.replace(/^(DNS|IP Address):/, "")).filter((name) => name !== "")
        .map((name) => OLD_TLS && /^[0-9A-F]{8}$/.test(name) ? dottedAddress(name) : name),
      validFrom: new Date(shown.valid_from),
      validTo: new Date(shown.valid_to),
    };
  } catch {
    return undefined;
  }
}

/** `host:port`, with brackets around an IPv6 address. */
export function hostAndPort(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** A URL's hostname as sockets take it: an IPv6 address without brackets. */
export function unbracketed(hostname: string): string {
  return hostname.replace(/^\[(.*)\]$/, "$1");
}

// Deno before 2.8 can start TLS on a socket, and node:http can take it over, only while no read is pending ("Busy: TCP stream is currently
// in use"). It reports a failed handshake as `secureConnect`, and starts reading by itself. These functions tell its stream handle to wait;
// later versions need none of this. Two things cannot be fixed: TLS inside TLS, and that `ca` is added to Deno's roots instead of replacing them.

const OLD_TLS = /^2\.[0-7]\./.test(Deno.version.deno);

interface OldHandle {
  /** If true, the stream does not start to read by itself. */
  reading: boolean;
  /** If true, a finished handshake does not start to read. */
  pauseOnCreate?: boolean;
  readStop(): void;
  /** Closes the connection below TLS. */
  _onClose(): void;
}

function oldHandle(socket: Socket): OldHandle | undefined {
  return OLD_TLS ? Reflect.get(socket, "_handle") : undefined;
}

function holdReads(socket: Socket): void {
  const handle = oldHandle(socket);
  if (handle === undefined) return;
  socket.pause();
  handle.readStop();
  handle.pauseOnCreate = true;
  handle.reading = true;
}

function resumeReads(socket: Socket): void {
  const handle = oldHandle(socket);
  if (handle !== undefined) handle.reading = false;
  socket.resume();
}

/** Leaves the socket idle, so that its owner can read from it or give it to node:http. */
function handOver(socket: Socket): void {
  const handle = oldHandle(socket);
  if (handle === undefined) {
    if (socket.isPaused()) socket.resume(); // node:http would wait forever; no data can arrive yet
    return;
  }
  handle.reading = false;
  // Otherwise node:http would start TLS again.
  if ("getPeerCertificate" in socket) Object.assign(socket, { encrypted: true });
}

/** Closes a connection that is no longer needed, in whatever state it is. */
function abandon(socket: Socket): void {
  const handle = oldHandle(socket);
  socket.on("error", () => {}).destroy();
  // A handshake that is under way holds the connection until it ends.
  if (handle) socket.prependOnceListener("secure", () => handle._onClose());
}

/** Deno before 2.8 returns an address as hexadecimal digits. */
function dottedAddress(hex: string): string {
  return (hex.match(/../g) ?? []).map((byte) => parseInt(byte, 16)).join(".");
}

function handshakeFailed(socket: TLSSocket): boolean {
  return OLD_TLS && (socket.alpnProtocol as string | false | null) === null;
}
