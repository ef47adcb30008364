import type { PeerCertificate } from "./connection_error.ts";
import { dial, type DialedConnection, type DialOptions, peerCertificate } from "./dial.ts";
import type { DialTarget } from "./dial_route.ts";
import { isSocks, proxyHeaders } from "./proxy_dialogue.ts";

/** Where the API server is and how to connect to it as this user. */
export interface ClusterAccess {
  /** May have a path (Rancher, Teleport), which precedes that of every request. */
  readonly server: URL;
  /** From the flag, else from the context, else "default". */
  readonly namespace: string;
  /** The context's name; empty if there is none (in a Pod, or with flags only). */
  readonly context: string;
  /** The user's name in the kubeconfig, for messages. */
  readonly user: string;
  /** Warnings for the user, such as that the server's certificate is not verified. */
  readonly warnings: readonly string[];
  /** `--request-timeout` in milliseconds; 0 means no timeout, undefined if not given. */
  readonly requestTimeoutMs: number | undefined;
  /**
   * Options for the next request or WebSocket. To be called for each, because tokens and certificates change.
   * @throws {CredentialError} if the user's credentials cannot be obtained
   */
  connection(): Promise<ConnectionOptions>;
  /** To be called after a 401: drops cached credentials. */
  refreshCredentials(): void;
  /** The proxy on the way to the API server: `scheme://host:port`, without its password. */
  readonly proxy?: string | undefined;
  /** When the client certificate of the last {@linkcode connection} is valid, if there is one and no plugin renews it. */
  clientCertificate?(): Validity | undefined;
  /** After a 401: which of the user's credentials has expired, as far as this machine's clock can tell. */
  expiredCredential?(): string | undefined;
}

/** The path of a request: that of the server, if it has one, comes first. */
export function targetAt({ pathname }: URL, path: string): string {
  return pathname.replace(/\/$/, "") + path;
}

/** When a certificate is valid. */
export type Validity = Pick<PeerCertificate, "validFrom" | "validTo">;

/** Options for one request or WebSocket. */
export interface ConnectionOptions {
  /** `Authorization` and `Impersonate-*`; a header with a list is sent several times. */
  readonly headers: Record<string, string | string[]>;
  /** Changes with the client certificate: a connection of another identity must not be reused. */
  readonly identity: string;
  /** For a server without TLS behind a proxy: requests go to the proxy with absolute URLs and these headers. */
  readonly forwarding?: Readonly<Record<string, string>> | undefined;
  /** Opens a connection, directly or through a proxy, with TLS established and verified. @throws {ConnectionError} */
  readonly dial: (options?: DialOptions) => Promise<DialedConnection>;
  /** The certificate that the server shows, without verifying it; undefined if it shows none. */
  readonly serverCertificate: (signal: AbortSignal) => Promise<PeerCertificate | undefined>;
}

/** Makes {@linkcode ConnectionOptions} for a target. */
export function connectionTo(target: DialTarget, headers: Record<string, string | string[]>, identity: string): ConnectionOptions {
  // As kubectl does: proxies such as squid refuse CONNECT to ports other than 443. WebSockets need it in any case.
  const forwarding = target.proxy && !target.tls && !isSocks(target.proxy) ? proxyHeaders(target.proxy) : undefined;
  return {
    headers,
    identity,
    forwarding,
    dial: (options) => dial({ ...target, forwarded: forwarding !== undefined }, options),
    serverCertificate: async (signal) => target.tls && await peerCertificate(target, signal),
  };
}

/** The user's credentials cannot be obtained from a file, an exec plugin or a certificate. The message never contains a credential. */
export class CredentialError extends Error {
  override readonly name = "CredentialError";
}
