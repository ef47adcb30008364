import type { OwnSocket } from "../net/own_socket.ts";
import { pause } from "../net/timing.ts";
import { Unproven } from "../net/unproven.ts";

/** A caller has this long to finish its TLS handshake. */
const HANDSHAKE_MS = 10_000;
/** Unfinished handshakes at once: fewer than there may be callers, so that those of one address leave room for others. */
const MAX_HANDSHAKES = 1_024;
/** The alert to a caller whose handshake failed has this long to be read, */
const GOODBYE_MS = 1_000;
/** unless so many have to read one: they are a flood, which must take no other caller's place. */
const MAX_GOODBYES = 64;

/** A caller's TLS handshake failed, or it did not finish in time. */
export class TlsHandshakeError extends Error {
  override readonly name = "TlsHandshakeError";
  /** The caller `left`, as a load balancer's probe of the port does, or was `cut` off here, or TLS `failed` and the caller was told. */
  readonly reason: "left" | "cut" | "failed";

  constructor(message: string, reason: TlsHandshakeError["reason"], options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

/** The TLS handshakes of a port's callers. */
export class TlsHandshakes {
  readonly #unfinished = new Unproven(MAX_HANDSHAKES, HANDSHAKE_MS);
  #goodbyes = 0;

  /**
   * Finishes the handshake of a caller that has just connected.
   * @returns the protocol that was negotiated (ALPN, RFC 7301), if one was
   * @throws TlsHandshakeError; if it `failed`, the connection is to be closed after {@link TlsHandshakes.goodbye}
   */
  async finish(socket: Deno.TlsConn, file: OwnSocket): Promise<string | undefined> {
    let cut: string | undefined;
    const finished = this.#unfinished.add((socket.remoteAddr as Deno.NetAddr).hostname, (late) => {
      cut = late ? `it did not finish within ${HANDSHAKE_MS / 1000} s` : `more than ${MAX_HANDSHAKES} were under way`;
      file.reset();
    });
    try {
      return (await socket.handshake()).alpnProtocol ?? undefined;
    } catch (error) {
      // The alert has been sent. Deno would not end a connection whose handshake failed before it closes it, which loses the alert if the
      // caller still sends.
      file.endWrite();
      const reason = cut !== undefined ? "cut" : hasLeft(error) ? "left" : "failed";
      throw new TlsHandshakeError(cut ?? inWords((error as Error).message), reason, { cause: error });
    } finally {
      finished();
    }
  }

  /** Waits until the caller has read the alert. */
  async goodbye(): Promise<void> {
    if (this.#goodbyes >= MAX_GOODBYES) return;
    this.#goodbyes++;
    await pause(GOODBYE_MS);
    this.#goodbyes--;
  }
}

/** Whether the caller ended the connection, or reset it, in the middle of the handshake. */
function hasLeft(error: unknown): boolean {
  return ["UnexpectedEof", "ConnectionReset", "BrokenPipe"].includes((error as Error).name);
}

function inWords(message: string): string {
  if (/InvalidContentType/.test(message)) return "the caller does not speak TLS";
  if (/any known protocol/.test(message)) return "the caller offers none of the protocols that this port serves (ALPN); see --app-protocol";
  const alert = /received fatal alert: (\w+)/.exec(message)?.[1];
  if (alert === undefined) return message;
  return /CA|Certificate/i.test(alert) ? `the caller does not trust the certificate (${alert})` : `the caller ended it (${alert})`;
}
