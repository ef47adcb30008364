/**
 * Opens connections with Deno's own TCP and TLS, which carry twice as much as node:tls in a third of the memory.
 *
 * @module
 */

import { ClientCertificateError, type DialTarget, type Route, type TlsSettings } from "./dial_route.ts";
import { canTurnDelayOff, turnDelayOff } from "./no_delay.ts";
import { proxyAddress, type ProxyDialogue, proxyDialogue } from "./proxy_dialogue.ts";
import { defaultAuthorities, runtimeRootsDropped } from "./trusted_roots.ts";

/** A connection of Deno's own, plain or with TLS. */
export type NativeConn = Deno.TcpConn | Deno.TlsConn;

/**
 * Whether Deno's own connections do. Deno.connectTls always verifies, and against the name that it dials; Deno.startTls takes another name,
 * but no client certificate, and nothing but TCP below it. Both trust the runtime's roots too, unless they were dropped.
 */
export function canDialNatively({ host, tls, proxy }: DialTarget): boolean {
  if (proxy?.protocol === "https:") return false;
  if (!tls) return true;
  if (tls.insecure || !runtimeRootsDropped()) return false;
  return tls.cert === undefined || (proxy === undefined && (tls.serverName ?? host) === host && canTurnDelayOff());
}

/** One attempt. @param opened gets each connection that replaces the one before, so that the caller can close it if a later step fails */
export async function openNatively(route: Route, opened: (conn: NativeConn) => void): Promise<NativeConn> {
  const { host, port, tls } = route.target;
  if (tls?.cert !== undefined && tls.key !== undefined) {
    return await secure(connectTls({ hostname: host, port, ...trust(tls), cert: tls.cert, key: tls.key }), opened);
  }
  const tcp = await connectTcp(route, opened);
  return tls ? await secure(Deno.startTls(tcp, { hostname: tls.serverName ?? host, ...trust(tls) }), opened) : tcp;
}

async function connectTcp(route: Route, opened: (conn: NativeConn) => void): Promise<Deno.TcpConn> {
  const { host, port, proxy, forwarded } = route.target;
  const to = proxy ? proxyAddress(proxy) : { hostname: host, port };
  const tcp = await Deno.connect(to).catch((error) => {
    throw proxy ? route.error("proxy", `the proxy cannot be reached: ${error.message}`, error) : error;
  });
  opened(tcp);
  tcp.setNoDelay(true);
  tcp.setKeepAlive(true);
  if (!proxy || forwarded) return tcp;
  await askProxy(tcp, proxyDialogue(route.target, proxy)).catch((error) => {
    throw route.error("proxy", error.message, error);
  });
  return tcp;
}

/** Nothing is read behind the answer: over TLS and WebSockets the client speaks first. */
async function askProxy(conn: Deno.TcpConn, dialogue: ProxyDialogue): Promise<void> {
  const buffer = new Uint8Array(4096);
  for (let step = dialogue.next(); !step.done;) {
    for (let at = 0; at < step.value.length;) at += await conn.write(step.value.subarray(at));
    const size = await conn.read(buffer);
    if (size === null) throw new Error("the proxy closed the connection without an answer");
    step = dialogue.next(buffer.slice(0, size));
  }
}

async function secure(started: Promise<Deno.TlsConn>, opened: (conn: NativeConn) => void): Promise<Deno.TlsConn> {
  const conn = await started;
  opened(conn);
  await conn.handshake();
  return conn;
}

async function connectTls(options: Deno.ConnectTlsOptions & Deno.TlsCertifiedKeyPem): Promise<Deno.TlsConn> {
  const conn = await Deno.connectTls(options).catch((error) => {
    // What cannot be used is told before anything is dialled.
    const isClients = error instanceof Deno.errors.InvalidData && !/peer certificate|fatal alert/.test(error.message);
    throw isClients ? new ClientCertificateError(error.message) : error;
  });
  turnDelayOff();
  return conn;
}

function trust({ ca, alpn }: TlsSettings): { caCerts: string[]; alpnProtocols: string[] } {
  return { caCerts: ca === undefined ? [...defaultAuthorities()] : [ca], alpnProtocols: [...alpn ?? ["http/1.1"]] };
}
