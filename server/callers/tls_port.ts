import { acceptAll } from "../net/accept_all.ts";
import { OwnSockets } from "../net/own_sockets.ts";
import { listenOnAll } from "../net/sockets.ts";
import { pause } from "../net/timing.ts";

/**
 * The certificate before stays for so long after a change: a caller that connected during the change finishes its TCP handshake with the
 * socket that answered it first. Longer than the first retransmission of a lost packet takes (RFC 6298: 1 s).
 */
const OVERLAP_MS = 1_500;

/** A certificate with the chain after it, and its key, in PEM. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/**
 * The TLS of callers, with a certificate that can change. Deno binds a certificate to a socket that listens, so a change opens a second one
 * on the same port (SO_REUSEPORT), and the first is closed once nobody is on the way to it.
 */
export class CallersTls {
  readonly #alpn: string[];
  readonly #ports: TlsPort[] = [];
  #certificate: Certificate;

  /** @param alpn the protocols that are accepted, best first; with none, a caller's offer is not answered */
  constructor(certificate: Certificate, alpn: readonly string[]) {
    this.#certificate = certificate;
    this.#alpn = [...alpn];
  }

  /**
   * Serves this certificate to new callers; open connections go on. To be called again after it has ended.
   * @throws if the two cannot be used; the previous certificate stays
   */
  async use(certificate: Certificate): Promise<void> {
    await Promise.all(this.#ports.map((port) => port.settled));
    const ports = this.#ports.filter(({ closed }) => !closed);
    const opened: Deno.TlsListener[] = [];
    try {
      for (const { port } of ports) opened.push(this.#listen(port, certificate));
    } catch (error) {
      for (const listener of opened) listener.close();
      throw error;
    }
    this.#certificate = certificate;
    ports.forEach((port, i) => port.continueOn(opened[i] as Deno.TlsListener));
  }

  /**
   * Opens a port.
   * @param serve takes each caller, whose TLS handshake has just begun; never rejects
   * @throws the system's error, as for a port in use, or if the certificate cannot be used
   */
  open(port: number, serve: (caller: Deno.TlsConn) => Promise<void>): TlsPort {
    const opened = new TlsPort(this.#listen(port, this.#certificate), serve);
    this.#ports.push(opened);
    return opened;
  }

  #listen(port: number, { cert, key }: Certificate): Deno.TlsListener {
    const alpn = this.#alpn.length > 0 ? { alpnProtocols: this.#alpn } : {};
    try {
      return listenOnAll((hostname) => Deno.listenTls({ port, hostname, cert, key, reusePort: true, ...alpn }));
    } catch (error) {
      if (/KeyMismatch/.test((error as Error).message)) throw new Error("the key does not belong to the certificate", { cause: error });
      throw error;
    }
  }
}

/** A port that {@link CallersTls} has opened. */
export class TlsPort {
  /** Its number. */
  readonly port: number;
  /** Resolves once a single socket listens. */
  settled: Promise<void> = Promise.resolve();
  closed = false;
  readonly #serve: (caller: Deno.TlsConn) => Promise<void>;
  readonly #sockets = new OwnSockets();
  #newest: Listening;
  /** What listened before the last change, for a while. */
  #before: Listening | undefined;

  constructor(listener: Deno.TlsListener, serve: (caller: Deno.TlsConn) => Promise<void>) {
    this.port = (listener.addr as Deno.NetAddr).port;
    this.#serve = serve;
    this.#newest = this.#accept(listener);
  }

  /** Accepts callers on another listener of the same port from now on, once the port is {@link settled}. */
  continueOn(listener: Deno.TlsListener): void {
    const before = this.#newest;
    this.#newest = this.#accept(listener);
    this.#before = before;
    // The system sends callers to the second of two, so there are never three.
    this.settled = pause(OVERLAP_MS).then(() => {
      this.#closeBefore();
      return before.ended;
    });
  }

  /** Accepts no more callers. */
  close(): void {
    this.closed = true;
    this.#closeBefore();
    this.#newest.close();
  }

  #closeBefore(): void {
    this.#before?.close();
    this.#before = undefined;
  }

  #accept(listener: Deno.TlsListener): Listening {
    this.#sockets.prepareListeners();
    return { ended: acceptAll(listener, this.#serve), close: () => listener.close() };
  }
}

interface Listening {
  /** Resolves once the socket is closed. */
  readonly ended: Promise<void>;
  close(): void;
}
