/**
 * Why there is no answer from the API server.
 *
 * @module
 */

/** What failed on the way to the API server. */
export type ConnectionErrorKind =
  /** Nobody listens at the address. */
  | "refused"
  /** The address cannot be reached: no route, host or network is down. */
  | "unreachable"
  /** The host's name cannot be resolved. */
  | "dns"
  /** There was no answer in time. */
  | "timeout"
  /** The server's certificate is signed by an authority that is not trusted. */
  | "tls-untrusted"
  /** The server's certificate is for other names. */
  | "tls-name"
  /** The server's certificate has expired or is not valid yet, by this machine's clock. */
  | "tls-expired"
  /** The server refused the client's certificate, or it cannot be used. */
  | "tls-client"
  /** Any other failure of TLS, such as a server that does not speak TLS. */
  | "tls"
  /** The connection broke. */
  | "reset"
  /** The proxy refused, or cannot be reached itself. */
  | "proxy"
  /** The answer is not HTTP, or too long. */
  | "protocol"
  /** The caller's signal ended the request. */
  | "aborted";

/** A server's certificate, if it explains a failure. */
export interface PeerCertificate {
  readonly subject: string;
  readonly issuer: string;
  /** The names and addresses it is valid for. */
  readonly names: readonly string[];
  readonly validFrom: Date;
  readonly validTo: Date;
}

/** There is no answer: the connection could not be established, or broke. The message never contains a credential. */
export class ConnectionError extends Error {
  override readonly name = "ConnectionError";
  readonly kind: ConnectionErrorKind;
  /** The API server's address that was tried: `host:port`. */
  readonly address: string;
  /** The proxy that was used: `scheme://host:port`, without its password. */
  readonly proxy: string | undefined;
  /** The message of the system or the TLS library. */
  readonly detail: string;
  /** The server's certificate, if it is to blame and could be read. */
  readonly certificate: PeerCertificate | undefined;

  constructor(
    kind: ConnectionErrorKind,
    options: {
      address: string;
      detail: string;
      proxy?: string | undefined;
      certificate?: PeerCertificate | undefined;
      cause?: unknown;
    },
  ) {
    const way = options.proxy === undefined ? "" : ` through the proxy ${options.proxy}`;
    super(`Cannot reach ${options.address}${way}: ${options.detail}`, { cause: options.cause });
    this.kind = kind;
    this.address = options.address;
    this.proxy = options.proxy;
    this.detail = options.detail;
    this.certificate = options.certificate;
  }
}

/** The kind of an error of the system or the TLS library, by Node's codes or rustls' messages. */
export function connectionErrorKind(error: unknown): ConnectionErrorKind {
  const { code, message } = error as { code?: string; message?: string };
  switch (code) {
    case "ECONNREFUSED":
      return "refused";
    case "ENOTFOUND":
    case "EAI_AGAIN":
    case "EAI_NODATA":
      return "dns";
    case "ETIMEDOUT":
      return "timeout";
    case "EHOSTUNREACH":
    case "ENETUNREACH":
    case "EHOSTDOWN":
    case "EADDRNOTAVAIL":
    case "EINVAL":
      return "unreachable";
    case "ERR_TLS_CERT_ALTNAME_INVALID":
      return "tls-name";
    case "CERT_HAS_EXPIRED":
    case "CERT_NOT_YET_VALID":
      return "tls-expired";
    case "UNABLE_TO_VERIFY_LEAF_SIGNATURE":
    case "UNABLE_TO_GET_ISSUER_CERT":
    case "UNABLE_TO_GET_ISSUER_CERT_LOCALLY":
    case "SELF_SIGNED_CERT_IN_CHAIN":
    case "DEPTH_ZERO_SELF_SIGNED_CERT":
    case "CERT_UNTRUSTED":
    case "CERT_SIGNATURE_FAILURE":
      return "tls-untrusted";
  }
  const text = message ?? String(error);
  // Deno 2.6 has rustls' message and no code; an alert has only a message, on all versions.
  if (/certificate not valid for name|NotValidForName/.test(text)) return "tls-name";
  if (/certificate (expired|not valid yet)|not valid (after|before)/i.test(text)) {
    return "tls-expired";
  }
  if (/received fatal alert/i.test(text)) {
    return /certificate|unknownca|unknown ca|accessdenied/i.test(text) ? "tls-client" : "tls";
  }
  if (/invalid peer certificate/i.test(text)) return "tls-untrusted";
  if (code?.startsWith("ERR_SSL_") || /corrupt message|InvalidContentType|\bTLS\b/i.test(text)) {
    return "tls";
  }
  return "reset";
}
