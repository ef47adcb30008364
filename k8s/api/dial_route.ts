/**
 * Where a connection to an API server leads, and how errors name it.
 *
 * @module
 */

import { ConnectionError, type PeerCertificate } from "./connection_error.ts";

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

/** The addresses of the target and the proxy as text, and errors that name them. */
export class Route {
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

/** The headers for a proxy: `Proxy-Authorization` if its URL has a user. */
export function proxyHeaders(proxy: URL): Record<string, string> {
  if (proxy.username === "") return {};
  const user = new TextEncoder().encode(`${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`);
  return { "Proxy-Authorization": `Basic ${btoa(String.fromCharCode(...user))}` };
}

/** `host:port`, with brackets around an IPv6 address. */
export function hostAndPort(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** A URL's hostname as sockets take it: an IPv6 address without brackets. */
export function unbracketed(hostname: string): string {
  return hostname.replace(/^\[(.*)\]$/, "$1");
}

/** The longest accepted answer to a CONNECT, in bytes. */
const MAX_PROXY_ANSWER = 16 * 1024;

/** The request for a way through a proxy to the target: RFC 9110 section 9.3.6. */
export function connectRequest({ address }: Route, proxy: URL): Uint8Array {
  const lines = [`CONNECT ${address} HTTP/1.1`, `Host: ${address}`];
  for (const [name, value] of Object.entries(proxyHeaders(proxy))) lines.push(`${name}: ${value}`);
  return new TextEncoder().encode(lines.join("\r\n") + "\r\n\r\n");
}

/** Reads what has arrived of a proxy's answer. @returns what follows its head, once that is whole @throws Error that says what is wrong */
export function restOfProxyAnswer(answer: string): string | undefined {
  const end = answer.indexOf("\r\n\r\n");
  if (end < 0) {
    if (answer.length > MAX_PROXY_ANSWER) throw new Error("the proxy's answer to CONNECT is not HTTP");
    return undefined;
  }
  const line = answer.slice(0, answer.indexOf("\r\n"));
  if (!/^HTTP\/1\.[01] 2\d\d( |$)/.test(line)) throw new Error(`the proxy answered CONNECT with "${line.slice(0, 200)}"`);
  return answer.slice(end + 4);
}

/** The client's certificate and its key do not belong together, or have an unknown format. */
export class ClientCertificateError extends Error {}
