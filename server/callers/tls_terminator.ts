import { createPrivateKey, X509Certificate } from "node:crypto";
import { createSecureContext, type SecureContext, TLSSocket } from "node:tls";
import type { Connection } from "../../tunnel/mod.ts";
import { TlsConnection, TlsCutError } from "../net/tls_connection.ts";

/** A caller has this long to finish its TLS handshake. */
const HANDSHAKE_MS = 10_000;
/** The alert to a caller whose handshake failed has this long to be sent. */
const GOODBYE_MS = 1_000;

/** A caller's TLS handshake failed, or it did not finish in time. */
export class TlsHandshakeError extends Error {
  override readonly name = "TlsHandshakeError";
  /** Whether the caller left without sending anything, as a load balancer's probe of the port does. */
  readonly silent: boolean;

  constructor(message: string, silent: boolean, options?: ErrorOptions) {
    super(message, options);
    this.silent = silent;
  }
}

/** What a caller's connection became. */
export interface Terminated {
  /** The bytes inside its TLS. */
  readonly connection: Connection;
  /** The protocol that was negotiated (ALPN, RFC 7301), where one was. */
  readonly alpn: string | undefined;
}

/** Terminates callers' TLS with a certificate that can change. */
export class TlsTerminator {
  readonly #alpn: readonly string[];
  #context: SecureContext | undefined;

  /** @param alpn the protocols that are accepted, best first; with none, a caller's offer is not answered */
  constructor(alpn: readonly string[]) {
    this.#alpn = alpn;
  }

  /**
   * Serves this certificate to new callers; open connections go on.
   * @param cert PEM, with the chain after it
   * @param key PEM
   * @throws where the two cannot be used; the previous certificate stays
   */
  use(cert: string, key: string): void {
    // createSecureContext accepts anything, and every handshake would then fail.
    if (!new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) throw new Error("the key does not belong to the certificate");
    this.#context = createSecureContext({ cert, key });
  }

  /** Terminates the TLS of a caller that has just connected. @throws TlsHandshakeError; the connection is then closed for you */
  async terminate(raw: Connection): Promise<Terminated> {
    const alpn = this.#alpn.length > 0 ? { ALPNProtocols: [...this.#alpn] } : {};
    const connection = new TlsConnection(
      raw,
      (under) => new TLSSocket(under as never, { isServer: true, secureContext: this.#context as SecureContext, ...alpn }),
    );
    const timer = setTimeout(() => connection.reset(), HANDSHAKE_MS);
    try {
      return { connection, alpn: await connection.handshake() };
    } catch (error) {
      raw.closeWrite();
      setTimeout(() => raw.reset(), GOODBYE_MS);
      const { message, code } = error as Error & { code?: string };
      const silent = error instanceof TlsCutError || code === "ECONNRESET" || code === "EPIPE";
      throw new TlsHandshakeError(inWords(message), silent, { cause: error });
    } finally {
      clearTimeout(timer);
    }
  }
}

function inWords(message: string): string {
  if (/was reset here/.test(message)) return `it did not finish within ${HANDSHAKE_MS / 1000} s`;
  if (/InvalidContentType/.test(message)) return "the caller does not speak TLS";
  if (/any known protocol/.test(message)) return "the caller offers none of the protocols that this port serves (ALPN); see --app-protocol";
  const alert = /received fatal alert: (\w+)/.exec(message)?.[1];
  if (alert === undefined) return message;
  return /CA|Certificate/i.test(alert) ? `the caller does not trust the certificate (${alert})` : `the caller ended it (${alert})`;
}
