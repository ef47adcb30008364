/**
 * Opens connections with Deno's own TCP and TLS, which carry twice as much as node:tls in a third of the memory.
 *
 * @module
 */

import type { DialTarget, Route, TlsSettings } from "./dial_route.ts";
import { proxyAddress, type ProxyDialogue, proxyDialogue } from "./proxy_dialogue.ts";
import { defaultAuthorities, runtimeRootsDropped } from "./trusted_roots.ts";

/** A connection of Deno's own, plain or with TLS. */
export type NativeConn = Deno.TcpConn | Deno.TlsConn;

/**
 * Whether Deno's own connections do. Deno.startTls always verifies, takes no client certificate and nothing but TCP below it, and trusts the
 * runtime's roots too, unless they were dropped. Deno.connectTls takes a client certificate, but its connections have Nagle's delay
 * (Deno 2.9.6): a body of 50 MB came at 14 MB/s instead of 125.
 */
export function canDialNatively({ tls, proxy }: DialTarget): boolean {
  if (proxy?.protocol === "https:") return false;
  return !tls || (!tls.insecure && tls.cert === undefined && runtimeRootsDropped());
}

/** One attempt. @param opened gets each connection that replaces the one before, so that the caller can close it if a later step fails */
export async function openNatively(route: Route, opened: (conn: NativeConn) => void): Promise<NativeConn> {
  const { host, tls } = route.target;
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

function trust({ ca, alpn }: TlsSettings): { caCerts: string[]; alpnProtocols: string[] } {
  return { caCerts: ca === undefined ? [...defaultAuthorities()] : [ca], alpnProtocols: [...alpn ?? ["http/1.1"]] };
}
