import { isIP } from "node:net";
import { connect as connectSecure, type ConnectionOptions } from "node:tls";
import { connectionErrorKind } from "../../k8s/api/connection_error.ts";
import { dial } from "../../k8s/api/dial.ts";
import { TlsConnection } from "../../server/net/tls_connection.ts";
import { type Connection, NativeConnection, type NativeSocket } from "../../tunnel/mod.ts";
import { TcpConnection } from "../local/tcp_connection.ts";

/** How the program's TLS is spoken. */
export interface UpstreamTls {
  /** The host of the URL: what the certificate must be for. */
  readonly host: string;
  /** PEM of the authorities that are trusted besides the system's. */
  readonly ca?: string;
  /** Whether any certificate will do. */
  readonly insecure: boolean;
  /** The one protocol that is offered (ALPN, RFC 7301). */
  readonly alpn: string;
}

/** The program agreed on another protocol than its caller, who cannot be told any more. */
export class UpstreamProtocolError extends Error {
  override readonly name = "UpstreamProtocolError";
}

/** A handshake here at home takes milliseconds. */
const OLD_HANDSHAKE_MS = 2_000;
/** Deno before 2.8: its node:tls takes no stream that is not a socket, but has Deno's own TLS inside. */
const OLD_TLS = /^2\.[0-7]\./.test(Deno.version.deno);

/**
 * Speaks TLS with the program here.
 * @param socket connected to it
 * @throws what TLS says, or UpstreamProtocolError; the socket is then closed
 */
export async function startUpstreamTls(socket: Deno.TcpConn, tls: UpstreamTls): Promise<Connection> {
  socket.setNoDelay(true);
  socket.setKeepAlive(true);
  const { connection, alpn } = tls.insecure
    ? OLD_TLS ? await unverifiedOld(socket, tls) : await unverified(socket, tls)
    : await verified(socket, tls);
  if (tls.alpn === "h2" && alpn !== "h2") {
    connection.reset();
    throw new UpstreamProtocolError("it does not speak HTTP/2");
  }
  return connection;
}

/** Why a handshake with the program failed and what to do, to stand after its URL. */
export function whyNoTls(error: Error, tls: UpstreamTls): string {
  if (error instanceof UpstreamProtocolError || /NoApplicationProtocol|any known protocol/i.test(error.message)) {
    return tls.alpn === "h2"
      ? "does not speak HTTP/2, which its caller was offered: leave --app-protocol h2 away"
      : `does not speak ${tls.alpn}, which its caller speaks`;
  }
  switch (connectionErrorKind(error)) {
    case "tls-name":
      return `shows a certificate for other names than ${tls.host}: take a name that it is for, or give --upstream-insecure`;
    case "tls-expired":
      return "shows a certificate that has expired or is not valid yet: renew it, or give --upstream-insecure";
    case "tls-untrusted":
      return "shows a certificate of nobody who is trusted here: name its authority with --upstream-ca FILE, or give --upstream-insecure";
    case "tls":
      return "does not speak TLS: is it http://?";
    default:
      return `failed in the TLS handshake: ${error.message}`;
  }
}

interface Agreed {
  readonly connection: Connection;
  readonly alpn: string | undefined;
}

async function verified(socket: Deno.TcpConn, { host, ca, alpn }: UpstreamTls): Promise<Agreed> {
  const started = await Deno.startTls(socket, { hostname: host, caCerts: ca === undefined ? [] : [ca], alpnProtocols: [alpn] });
  try {
    const { alpnProtocol } = await started.handshake();
    return { connection: new NativeConnection(started), alpn: alpnProtocol ?? undefined };
  } catch (error) {
    started.close();
    throw error;
  }
}

/** Deno's own TLS always verifies, node:tls need not. */
async function unverified(socket: Deno.TcpConn, { host, alpn }: UpstreamTls): Promise<Agreed> {
  const options = {
    allowHalfOpen: true,
    rejectUnauthorized: false,
    ALPNProtocols: [alpn],
    // RFC 6066: an address is never asked for by SNI.
    ...(isIP(host) === 0 ? { servername: host } : {}),
  };
  const connection = new TlsConnection(
    new TcpConnection(socket),
    (under) => connectSecure({ ...options, socket: under } as ConnectionOptions),
  );
  try {
    return { connection, alpn: await connection.handshake() };
  } catch (error) {
    connection.reset();
    throw error;
  }
}

/**
 * node:tls of Deno 2.6 handshakes, and what it then has inside, a connection of Deno's own, does the rest: it has half-close and resets.
 * Of some handshakes that fail it never tells: Deno's own TLS is then asked why.
 */
async function unverifiedOld(socket: Deno.TcpConn, { host, alpn }: UpstreamTls): Promise<Agreed> {
  const { hostname, port } = socket.remoteAddr;
  socket.close();
  const target = { host: hostname, port, tls: { serverName: host, insecure: true, alpn: [alpn] } };
  const secure = await dial(target, { timeoutMs: OLD_HANDSHAKE_MS }).catch(async (error) => {
    await verified(await Deno.connect({ hostname, port }), { host, alpn, insecure: false }).then(({ connection }) => connection.reset());
    throw error;
  });
  const handle = (secure as unknown as { _handle: Record<symbol, NativeSocket> })._handle;
  const inside = Object.getOwnPropertySymbols(handle).find(({ description }) => description === "kStreamBaseField");
  return {
    connection: new NativeConnection(handle[inside as symbol] as NativeSocket),
    alpn: (secure as unknown as { alpnProtocol?: string | false }).alpnProtocol || undefined,
  };
}
