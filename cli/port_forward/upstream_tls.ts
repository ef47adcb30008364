import { isIP } from "node:net";
import { connect as connectSecure, type ConnectionOptions } from "node:tls";
import { dialSocket } from "../../k8s/api/dial.ts";
import { nativeInside, OLD_TLS } from "../../k8s/api/dial_socket.ts";
import { defaultAuthorities, nodeAuthorities } from "../../k8s/api/trusted_roots.ts";
import { TlsConnection } from "./tls_connection.ts";
import { type Connection, NativeConnection } from "../../tunnel/mod.ts";
import { TcpConnection } from "../local/tcp_connection.ts";
import type { Upstream } from "./upstream_url.ts";

/** How to speak TLS with the program: the host that the certificate must be valid for, and the only protocol to offer (ALPN, RFC 7301). */
export type UpstreamTls = Pick<Upstream, "host"> & NonNullable<Upstream["trust"]> & { readonly alpn: string };

/** A connection and the negotiated protocol (ALPN). */
type Secured = readonly [connection: Connection, alpn: string | undefined];

/** Deno 2.6 must have a limit for a handshake: a day, as {@linkcode startUpstreamTls} has none. */
const OLD_HANDSHAKE_MS = 24 * 60 * 60 * 1_000;

/** Starts TLS, however long the handshake takes. @throws what TLS says, or the signal's reason; the socket is then closed */
export async function startUpstreamTls(socket: Deno.TcpConn, tls: UpstreamTls, signal?: AbortSignal): Promise<Secured> {
  socket.setNoDelay(true);
  socket.setKeepAlive(true);
  return await (!tls.insecure ? verified : OLD_TLS ? unverifiedOld : unverified)(socket, tls, signal);
}

/** Waits for a handshake, and closes its connection if it fails or is aborted. */
async function untilAborted<T>(handshake: Promise<T>, close: () => void, signal?: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal?.reason);
  signal?.addEventListener("abort", abort);
  if (signal?.aborted) abort();
  // Closing the connection rejects the handshake later.
  handshake.catch(() => {});
  try {
    return await Promise.race([handshake, aborted.promise]);
  } catch (error) {
    close();
    throw error;
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}

/** Uses node:tls, since Deno's own TLS always verifies. */
async function unverified(socket: Deno.TcpConn, { host, alpn }: UpstreamTls, signal?: AbortSignal): Promise<Secured> {
  const authorities = nodeAuthorities(true);
  const options = {
    allowHalfOpen: true,
    rejectUnauthorized: false,
    ALPNProtocols: [alpn],
    ...(authorities === undefined ? {} : { ca: authorities }),
    // RFC 6066: SNI never carries an address.
    ...(isIP(host) === 0 ? { servername: host } : {}),
  };
  const connection = new TlsConnection(
    new TcpConnection(socket),
    (under) => connectSecure({ ...options, socket: under } as ConnectionOptions),
  );
  return [connection, await untilAborted(connection.handshake(), () => connection.reset(), signal)];
}

/**
 * Uses Deno's own TLS: over a stream that is not a socket, node:tls of Deno 2.9 does not check the certificate's name. Closing it during
 * the handshake leaves the socket open until the program acts or ends.
 */
async function verified(socket: Deno.TcpConn, { host, ca, alpn }: UpstreamTls, signal?: AbortSignal): Promise<Secured> {
  const caCerts = [...defaultAuthorities(), ...ca === undefined ? [] : [ca]];
  const started = await Deno.startTls(socket, { hostname: host, caCerts, alpnProtocols: [alpn] });
  const { alpnProtocol } = await untilAborted(started.handshake(), () => started.close(), signal);
  return [new NativeConnection(started), alpnProtocol ?? undefined];
}

/**
 * Lets node:tls of Deno 2.6 do the handshake, because it takes no stream that is not a socket, and uses the native connection inside it
 * afterwards, which has half-close and resets. node:tls never reports some failed handshakes; Deno's own TLS is then asked why.
 */
async function unverifiedOld(socket: Deno.TcpConn, { host, alpn }: UpstreamTls, signal?: AbortSignal): Promise<Secured> {
  const { hostname, port } = socket.remoteAddr;
  socket.close();
  const target = { host: hostname, port, tls: { serverName: host, insecure: true, alpn: [alpn] } };
  const secure = await dialSocket(target, { timeoutMs: OLD_HANDSHAKE_MS, signal }).catch(async (error) => {
    signal?.throwIfAborted();
    const again = verified(await Deno.connect({ hostname, port }), { host, alpn, insecure: false }, signal);
    await again.then(([connection]) => connection.reset());
    throw error;
  });
  return [new NativeConnection(nativeInside(secure)), Reflect.get(secure, "alpnProtocol") || undefined];
}
