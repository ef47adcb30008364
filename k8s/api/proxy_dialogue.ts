/**
 * What is said to a proxy to get a connection to the target, and what it answers. Pure: {@linkcode ProxyDialogue}s neither read nor write.
 *
 * @module
 */

import { isIP } from "node:net";
import { concat } from "../../tunnel/bytes.ts";
import { type DialTarget, hostAndPort, unbracketed } from "./dial_route.ts";

/**
 * Yields what is to be sent and gets what has arrived, in any pieces, until the way is open.
 * @returns what has arrived behind the proxy's answer
 * @throws Error that says what the proxy answered; never the password
 */
export type ProxyDialogue = Generator<Uint8Array, Uint8Array, Uint8Array>;

/** The port of a proxy whose URL names none. */
const PORTS: Readonly<Record<string, number>> = { "http:": 80, "https:": 443, "socks5:": 1080, "socks5h:": 1080 };
/** The longest accepted answer to a CONNECT, in bytes. */
const MAX_ANSWER = 16 * 1024;
const NOTHING = new Uint8Array(0);

/** Where a proxy is. */
export function proxyAddress({ hostname, port, protocol }: URL): { hostname: string; port: number } {
  return { hostname: unbracketed(hostname), port: Number(port || PORTS[protocol]) };
}

/** Whether a proxy speaks SOCKS 5. */
export function isSocks({ protocol }: URL): boolean {
  return protocol.startsWith("socks5");
}

/** The headers for a proxy: `Proxy-Authorization` if its URL has a user. */
export function proxyHeaders(proxy: URL): Record<string, string> {
  if (proxy.username === "") return {};
  const { user, password } = credentials(proxy);
  return { "Proxy-Authorization": `Basic ${btoa(String.fromCharCode(...user, 0x3a, ...password))}` };
}

/** The dialogue with a proxy, by its scheme. */
export function proxyDialogue(target: DialTarget, proxy: URL): ProxyDialogue {
  return isSocks(proxy) ? socks5(target, proxy) : connect(target, proxy);
}

/** CONNECT, RFC 9110 section 9.3.6. */
function* connect({ host, port }: DialTarget, proxy: URL): ProxyDialogue {
  const address = hostAndPort(host, port);
  const lines = [`CONNECT ${address} HTTP/1.1`, `Host: ${address}`];
  for (const [name, value] of Object.entries(proxyHeaders(proxy))) lines.push(`${name}: ${value}`);
  const latin1 = new TextDecoder("latin1");
  let received: Uint8Array = yield new TextEncoder().encode(lines.join("\r\n") + "\r\n\r\n");
  for (;;) {
    const answer = latin1.decode(received);
    const end = answer.indexOf("\r\n\r\n");
    if (end >= 0) {
      const line = answer.slice(0, answer.indexOf("\r\n"));
      if (!/^HTTP\/1\.[01] 2\d\d( |$)/.test(line)) throw new Error(`the proxy answered CONNECT with "${line.slice(0, 200)}"`);
      return received.slice(end + 4);
    }
    if (received.length > MAX_ANSWER) throw new Error("the proxy's answer to CONNECT is not HTTP");
    received = concat(received, yield NOTHING);
  }
}

/** SOCKS 5, RFC 1928, with user and password by RFC 1929. The proxy resolves names, as in Go. */
function* socks5({ host, port }: DialTarget, proxy: URL): ProxyDialogue {
  let received: Uint8Array = NOTHING;
  function* take(count: number, send: Uint8Array = NOTHING): Generator<Uint8Array, Uint8Array, Uint8Array> {
    if (send.length > 0) received = concat(received, yield send);
    while (received.length < count) received = concat(received, yield NOTHING);
    const taken = received.subarray(0, count);
    received = received.subarray(count);
    return taken;
  }
  const { user, password } = credentials(proxy);
  if (user.length > 255 || password.length > 255) throw new Error("SOCKS allows at most 255 bytes for the user and for the password");
  const methods = user.length === 0 ? [0] : [0, 2];
  const [version, method] = yield* take(2, new Uint8Array([5, methods.length, ...methods]));
  if (version !== 5) throw new Error("the proxy does not speak SOCKS 5");
  if (method === 2 && user.length > 0) {
    const [, status] = yield* take(2, new Uint8Array([1, user.length, ...user, password.length, ...password]));
    if (status !== 0) throw new Error("the proxy refused the user and the password");
  } else if (method !== 0) {
    throw new Error(user.length === 0 ? "the proxy wants a user and a password" : "the proxy accepts no user and password");
  }
  const [, reply = 1, , kind] = yield* take(4, new Uint8Array([5, 1, 0, ...socksAddress(host), port >> 8, port & 0xff]));
  if (reply !== 0) throw new Error(`the proxy answered: ${REPLIES[reply] ?? `SOCKS error ${reply}`}`);
  // The address that the proxy has bound: of no use, but it must be read.
  const [length = 0] = kind === 1 ? [4] : kind === 4 ? [16] : yield* take(1);
  yield* take(length + 2);
  return received;
}

/** The errors of RFC 1928, section 6. */
const REPLIES: Readonly<Record<number, string>> = {
  1: "general SOCKS server failure",
  2: "connection not allowed by ruleset",
  3: "network unreachable",
  4: "host unreachable",
  5: "connection refused",
  6: "TTL expired",
  7: "command not supported",
  8: "address type not supported",
};

/** A host as SOCKS has it: its type and its bytes. */
function socksAddress(host: string): number[] {
  if (isIP(host) === 4) return [1, ...host.split(".").map(Number)];
  if (isIP(host) === 6) return [4, ...ipv6Bytes(host)];
  const name = new TextEncoder().encode(host);
  if (name.length > 255) throw new Error("the server's name is longer than SOCKS allows");
  return [3, name.length, ...name];
}

function ipv6Bytes(address: string): number[] {
  // Without dots and zones, and shortened.
  const canonical = unbracketed(new URL(`http://[${address}]`).hostname);
  const [before = [], after = []] = canonical.split("::").map((half) => half.split(":").filter((group) => group !== ""));
  const groups = [...before, ...new Array(8 - before.length - after.length).fill("0"), ...after];
  return groups.flatMap((group) => [parseInt(group, 16) >> 8, parseInt(group, 16) & 0xff]);
}

function credentials({ username, password }: URL): { user: Uint8Array; password: Uint8Array } {
  const bytes = (text: string) => new TextEncoder().encode(decodeURIComponent(text));
  return { user: bytes(username), password: bytes(password) };
}
