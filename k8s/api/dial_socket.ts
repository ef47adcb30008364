/**
 * Opens connections with node:net and node:tls, for what Deno's own TLS cannot do, and for Deno before 2.8.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { connect as connectSocket, isIP, type Socket } from "node:net";
import { connect as connectSecure, type TLSSocket } from "node:tls";
import type { NativeSocket } from "../../tunnel/mod.ts";
import { ClientCertificateError, type Route, type TlsSettings } from "./dial_route.ts";
import { proxyAddress, proxyDialogue } from "./proxy_dialogue.ts";
import { nodeAuthorities } from "./trusted_roots.ts";

/** After this many milliseconds of silence TCP probes whether the other side is still there. */
const TCP_KEEP_ALIVE_MS = 30_000;

/** One attempt. @param open gets every socket that is opened, so that the caller can close them if a later step fails */
export async function openSocket(route: Route, open: Socket[]): Promise<Socket> {
  const { target } = route;
  let socket: Socket;
  if (target.proxy === undefined) {
    socket = await connectTcp(target.host, target.port, open);
  } else {
    socket = await connectToProxy(target.proxy, route, open);
    if (!target.forwarded) await askProxy(socket, target.proxy, route);
  }
  if (target.tls !== undefined) socket = await startTls(socket, target.host, target.tls, open);
  return socket;
}

async function connectToProxy(proxy: URL, route: Route, open: Socket[]): Promise<Socket> {
  const { hostname, port } = proxyAddress(proxy);
  const secure = proxy.protocol === "https:";
  if (secure && OLD_TLS) throw route.error("proxy", "an https:// proxy requires Deno 2.8 or newer");
  try {
    const socket = await connectTcp(hostname, port, open);
    // As in kubectl, the cluster's certificate-authority, tls-server-name and so on hold for its proxy too.
    return secure ? await startTls(socket, hostname, { ...route.target.tls, alpn: undefined }, open) : socket;
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

function askProxy(socket: Socket, proxy: URL, route: Route): Promise<void> {
  return new Promise((resolve, reject) => {
    const dialogue = proxyDialogue(route.target, proxy);
    const done = (error?: Error) => {
      socket.off("data", onData).off("error", done).off("close", onClose);
      if (error) return reject(route.error("proxy", error.message, error));
      holdReads(socket);
      resolve();
    };
    const onClose = () => done(new Error("the proxy closed the connection without an answer"));
    const onData = (chunk?: Uint8Array) => {
      try {
        const { done: isOpen, value } = chunk ? dialogue.next(chunk) : dialogue.next();
        if (!isOpen) return void (value.length > 0 && socket.write(value));
        // First of all: otherwise Deno 2.6 already waits for more to read.
        socket.pause();
        done();
        if (value.length > 0) socket.unshift(Buffer.from(value));
      } catch (error) {
        done(error as Error);
      }
    };
    socket.on("data", onData).on("error", done).on("close", onClose);
    resumeReads(socket);
    onData();
  });
}

function startTls(under: Socket, host: string, settings: TlsSettings, open: Socket[]): Promise<Socket> {
  const name = settings.serverName ?? host;
  const ca = settings.ca ?? nodeAuthorities(settings.insecure === true);
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
        ...(ca === undefined ? {} : { ca }),
        ...(settings.cert === undefined ? {} : { cert: settings.cert, key: settings.key }),
      });
    } catch (error) {
      return reject(new ClientCertificateError((error as Error).message));
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

// Deno before 2.8 can start TLS on a socket only while no read is pending ("Busy: TCP stream is currently in use"). It reports a failed
// handshake as `secureConnect`, and starts reading by itself. These functions tell its stream handle to wait; later versions need none of
// this. Two things cannot be fixed: TLS inside TLS, and that `ca` is added to Deno's roots instead of replacing them.

/** Whether node:tls is that of Deno before 2.8. */
export const OLD_TLS = /^2\.[0-7]\./.test(Deno.version.deno);

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

/**
 * The connection of Deno's own inside a socket of {@linkcode openSocket}, before Deno 2.8. Whoever pauses such a socket may make it read
 * twice at once into one buffer (a response of 290 kB lost its first 64 KiB), so nobody reads from the socket itself.
 */
export function nativeInside(socket: Socket): NativeSocket {
  const handle: Record<symbol, NativeSocket> = Reflect.get(socket, "_handle");
  const inside = Object.getOwnPropertySymbols(handle).find(({ description }) => description === "kStreamBaseField");
  return handle[inside as symbol] as NativeSocket;
}

/** Closes a connection that is no longer needed, in whatever state it is. */
export function abandonSocket(socket: Socket): void {
  const handle = oldHandle(socket);
  socket.on("error", () => {}).destroy();
  // A handshake that is under way holds the connection until it ends.
  if (handle) socket.prependOnceListener("secure", () => handle._onClose());
}

function handshakeFailed(socket: TLSSocket): boolean {
  return OLD_TLS && (socket.alpnProtocol as string | false | null) === null;
}
