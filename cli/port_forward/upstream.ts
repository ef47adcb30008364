import { type ConnectionErrorKind, connectionErrorKind } from "../../k8s/api/connection_error.ts";
import type { Connection } from "../../tunnel/mod.ts";
import { TcpConnection } from "../local/tcp_connection.ts";
import type { Upstream } from "./upstream_url.ts";
import { startUpstreamTls } from "./upstream_tls.ts";

/** How long the program may take to accept a TCP connection, at each of its addresses. The kernel accepts even for a stopped program. */
const CONNECT_MS = 10_000;
/** A longer TLS handshake is reported: on one machine it takes milliseconds. */
const SLOW_MS = 5_000;

/** kurun could not connect to the program on this machine. The message names the program and says why. */
export class UpstreamError extends Error {
  override readonly name = "UpstreamError";
}

/** Options of {@linkcode dialUpstream}. */
export interface DialOptions {
  /** The protocol that the caller negotiated (ALPN, RFC 7301). The program is offered exactly that. */
  readonly alpn?: string | undefined;
  /** Aborted when the caller has left; the connection is then closed. */
  readonly signal?: AbortSignal;
  /** Called once when the program has accepted the connection but does not answer its TLS handshake for five seconds. */
  readonly slow?: () => void;
}

/**
 * Connects to the program on this machine, over TLS if its URL says https. The TLS handshake may take as long as the caller waits: a
 * program stopped in a debugger answers no handshake, and refusing its callers would make `timeoutSeconds: 30` of a webhook useless.
 * @throws UpstreamError, or the signal's reason
 */
export async function dialUpstream(upstream: Upstream, options: DialOptions = {}): Promise<Connection> {
  const { alpn = upstream.alpn ?? "http/1.1", signal, slow } = options;
  const { url, host, trust } = upstream;
  const socket = await connect(upstream);
  if (!trust) return new TcpConnection(socket);
  const timer = slow && setTimeout(slow, SLOW_MS);
  const [connection, agreed] = await startUpstreamTls(socket, { host, alpn, ...trust }, signal).catch((cause) => {
    signal?.throwIfAborted();
    throw new UpstreamError(`${url} ${whyNoTls(cause, host, alpn)}`, { cause });
  }).finally(() => clearTimeout(timer));
  if (alpn !== "h2" || agreed === "h2") return connection;
  connection.reset();
  throw new UpstreamError(`${url} ${noProtocol(alpn)}`);
}

async function connect({ url, host, port }: Upstream): Promise<Deno.TcpConn> {
  // Many programs listen on only one of the addresses of "localhost".
  const hosts = host === "localhost" ? ["127.0.0.1", "::1"] : [host];
  let failure: unknown;
  for (const hostname of hosts) {
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(new Deno.errors.TimedOut()), CONNECT_MS);
    try {
      return await Deno.connect({ hostname, port, signal: late.signal });
    } catch (error) {
      failure = error;
    } finally {
      clearTimeout(timer);
    }
  }
  throw new UpstreamError(`${url} ${whyNot(failure)}`, { cause: failure });
}

function whyNot(error: unknown): string {
  if (error instanceof Deno.errors.ConnectionRefused) return "refused the connection: is the program running?";
  if (error instanceof Deno.errors.TimedOut) return `did not accept a connection within ${CONNECT_MS / 1000} s`;
  if (/failed to lookup address|name or service not known|no such host/i.test(String(error))) {
    return "cannot be found: its host name does not resolve";
  }
  return `cannot be reached: ${(error as Error).message}`;
}

/** What is wrong with the program's TLS, and what to do; each follows the program's URL. */
const TLS_PROBLEMS: Partial<Record<ConnectionErrorKind, string>> = {
  "tls-expired": "has a certificate that has expired or is not valid yet: renew it, or use --upstream-insecure",
  "tls-untrusted": "has a certificate from an unknown CA: use --upstream-ca FILE, or --upstream-insecure",
  tls: "does not speak TLS: is it http://?",
};

function whyNoTls(error: Error, host: string, alpn: string): string {
  if (/NoApplicationProtocol|any known protocol/i.test(error.message)) return noProtocol(alpn);
  const kind = connectionErrorKind(error);
  if (kind === "tls-name") {
    return `has a certificate that is not valid for ${host}: use a name that it is valid for, or --upstream-insecure`;
  }
  return TLS_PROBLEMS[kind] ?? `failed during the TLS handshake: ${error.message}`;
}

function noProtocol(alpn: string): string {
  return alpn === "h2" ? "does not speak HTTP/2: remove --app-protocol h2" : `does not speak ${alpn}, which its caller speaks`;
}
