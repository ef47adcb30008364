/** What failed on the way to the API server. */
export type ConnectionErrorKind =
  | "refused"
  | "unreachable"
  | "dns"
  | "timeout"
  /** The server's certificate is signed by an authority that is not trusted, is for other names, or is not valid now by this machine's clock. */
  | "tls-untrusted"
  | "tls-name"
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
  /** The API server's address that was tried: `host:port`. */
  readonly address: string;
  /** The proxy that was used: `scheme://host:port`, without its password. */
  readonly proxy: string | undefined;
  /** The server's certificate, if it is to blame and could be read. */
  readonly certificate: PeerCertificate | undefined;

  constructor(
    readonly kind: ConnectionErrorKind,
    about: {
      address: string;
      detail: string;
      proxy?: string | undefined;
      certificate?: PeerCertificate | undefined;
      cause?: unknown;
    },
  ) {
    const way = about.proxy === undefined ? "" : ` through the proxy ${about.proxy}`;
    super(`Cannot reach ${about.address}${way}: ${about.detail}`, { cause: about.cause });
    ({ address: this.address, proxy: this.proxy, certificate: this.certificate } = about);
  }
}

/** Codes of Node, for the system and for TLS. */
const KINDS: Readonly<Record<string, ConnectionErrorKind>> = {
  ECONNREFUSED: "refused",
  ENOTFOUND: "dns",
  EAI_AGAIN: "dns",
  EAI_NODATA: "dns",
  ETIMEDOUT: "timeout",
  EHOSTUNREACH: "unreachable",
  ENETUNREACH: "unreachable",
  EHOSTDOWN: "unreachable",
  EADDRNOTAVAIL: "unreachable",
  EINVAL: "unreachable",
  ERR_TLS_CERT_ALTNAME_INVALID: "tls-name",
  CERT_HAS_EXPIRED: "tls-expired",
  CERT_NOT_YET_VALID: "tls-expired",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "tls-untrusted",
  UNABLE_TO_GET_ISSUER_CERT: "tls-untrusted",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "tls-untrusted",
  SELF_SIGNED_CERT_IN_CHAIN: "tls-untrusted",
  DEPTH_ZERO_SELF_SIGNED_CERT: "tls-untrusted",
  CERT_UNTRUSTED: "tls-untrusted",
  CERT_SIGNATURE_FAILURE: "tls-untrusted",
};

/** The kind of an error of the system or the TLS library, by Node's codes or rustls' messages. */
export function connectionErrorKind(error: unknown): ConnectionErrorKind {
  const { code = "", message } = error as { code?: string; message?: string };
  const known = KINDS[code];
  if (known) return known;
  const text = message ?? String(error);
  if (/failed to lookup address/i.test(text)) return "dns";
  // Deno 2.6 has rustls' message and no code; an alert has only a message, on all versions.
  if (/certificate not valid for name|NotValidForName/.test(text)) return "tls-name";
  if (/certificate (expired|not valid yet)|not valid (after|before)/i.test(text)) return "tls-expired";
  if (/received fatal alert/i.test(text)) return /certificate|unknownca|unknown ca|accessdenied/i.test(text) ? "tls-client" : "tls";
  if (/invalid peer certificate/i.test(text)) return "tls-untrusted";
  return code.startsWith("ERR_SSL_") || /corrupt message|InvalidContentType|\bTLS\b/i.test(text) ? "tls" : "reset";
}
