/**
 * Opens connections to the API server: TCP, possibly through a proxy's CONNECT, and TLS on top. All requests and WebSockets to a cluster
 * go through here, so that both are verified in the same way and fail with the same errors.
 *
 * @module
 */

import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { type Connection, NativeConnection, type NativeOptions, SocketConnection } from "../../tunnel/mod.ts";
import { ConnectionError, connectionErrorKind, type PeerCertificate } from "./connection_error.ts";
import { canDialNatively, type NativeConn, openNatively } from "./dial_native.ts";
import { ClientCertificateError, type DialTarget, Route } from "./dial_route.ts";
import { abandonSocket, nativeInside, OLD_TLS, openSocket } from "./dial_socket.ts";

/** Options of one attempt. */
export interface DialOptions {
  readonly signal?: AbortSignal | undefined;
  /** Until the end of the TLS handshake, in milliseconds. @default {10_000} */
  readonly timeoutMs?: number | undefined;
  /** Whether it becomes a WebSocket, which a proxy does not forward, and whose reads are released at once. */
  readonly webSocket?: boolean;
}

/** A connection that is ready for HTTP. */
export interface DialedConnection extends Connection {
  /** Says whether it keeps the process alive. */
  holdProcess(hold: boolean): void;
}

/**
 * Opens a connection that is ready for HTTP: without Nagle's delay, with TLS established and verified.
 *
 * @throws {ConnectionError} if that fails, with the reason
 */
export async function dial(to: DialTarget, options: DialOptions = {}): Promise<DialedConnection> {
  const target = options.webSocket ? { ...to, forwarded: false } : to;
  if (!canDialNatively(target)) {
    const socket = await dialSocket(target, options);
    return OLD_TLS ? new NativeConnection(nativeInside(socket), readOptions(options)) : new SocketConnection(socket);
  }
  let open: NativeConn | undefined;
  let abandoned = false;
  const close = () => {
    try {
      open?.close();
    } catch {
      // Starting TLS has taken it.
    }
  };
  const abandon = () => {
    abandoned = true;
    close();
  };
  const conn = await attempt(target, options, abandon, (route) =>
    openNatively(route, (conn) => {
      open = conn;
      if (abandoned) close();
    }));
  return new NativeConnection(conn, readOptions(options));
}

function readOptions({ webSocket }: DialOptions): NativeOptions {
  return { copyBelow: webSocket ? 0 : undefined };
}

/** Does the same with node:net and node:tls. */
export function dialSocket(target: DialTarget, options: DialOptions = {}): Promise<Socket> {
  const open: Socket[] = [];
  return attempt(target, options, () => open.reverse().forEach(abandonSocket), (route) => openSocket(route, open));
}

async function attempt<T>(
  target: DialTarget,
  { signal, timeoutMs = 10_000 }: DialOptions,
  abandon: () => void,
  open: (route: Route) => Promise<T>,
): Promise<T> {
  const route = new Route(target);
  if (signal?.aborted) throw route.error("aborted", "the attempt was cancelled", signal.reason);
  const stopped = Promise.withResolvers<never>();
  stopped.promise.catch(() => {});
  const timer = setTimeout(() => stopped.reject(route.error("timeout", `no answer within ${timeoutMs / 1000} s`)), timeoutMs);
  const abort = () => stopped.reject(route.error("aborted", "the attempt was cancelled", signal?.reason));
  signal?.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([open(route), stopped.promise]);
  } catch (error) {
    abandon();
    throw await explain(error, route, signal);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", abort);
  }
}

/** Turns any error into a {@linkcode ConnectionError} that says as much as possible. */
async function explain(error: unknown, route: Route, signal?: AbortSignal): Promise<Error> {
  if (error instanceof ConnectionError) return error;
  const message = (error as Error).message;
  if (error instanceof ClientCertificateError) {
    return route.error("tls-client", `the client certificate cannot be used: ${message}`, error);
  }
  const kind = connectionErrorKind(error);
  // To look at the certificate again, the password would be sent to an https:// proxy that is not verified.
  if (route.target.tls?.insecure || route.target.proxy?.protocol === "https:") return route.error(kind, message, error);
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

/** The certificate that a server sends, without trusting it; undefined if it cannot be obtained. */
export async function peerCertificate(target: DialTarget, signal?: AbortSignal): Promise<PeerCertificate | undefined> {
  try {
    const tls = { serverName: target.tls?.serverName, insecure: true };
    const socket = await dialSocket({ ...target, tls }, { signal, timeoutMs: 3_000 });
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

/** Deno before 2.8 returns an address as hexadecimal digits. */
function dottedAddress(hex: string): string {
  return (hex.match(/../g) ?? []).map((byte) => parseInt(byte, 16)).join(".");
}
