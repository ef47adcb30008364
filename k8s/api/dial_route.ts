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
  /** `http://`, `https://`, `socks5://` or `socks5h://`, possibly with user and password. */
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

/** `host:port`, with brackets around an IPv6 address. */
export function hostAndPort(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** A URL's hostname as sockets take it: an IPv6 address without brackets. */
export function unbracketed(hostname: string): string {
  return hostname.replace(/^\[(.*)\]$/, "$1");
}

/** The client's certificate and its key do not belong together, or have an unknown format. */
export class ClientCertificateError extends Error {}
