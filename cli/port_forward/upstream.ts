import type { Connection } from "../../tunnel/mod.ts";
import { usageError } from "../command/errors.ts";
import { isLoopback } from "../local/loopback.ts";
import { TcpConnection } from "../local/tcp_connection.ts";
import { startUpstreamTls, type UpstreamTls, whyNoTls } from "./upstream_tls.ts";

/** How long the program here may take to accept a connection, and as long again for its TLS. */
const CONNECT_MS = 10_000;

/** What a URL may begin with, and the port that it then means. */
const DEFAULT_PORTS: Readonly<Record<UpstreamScheme, number | undefined>> = { http: 80, https: 443, tcp: undefined, tls: undefined };

/** `tcp` and `tls` are bytes: with `tls` the callers' own TLS goes on to the program. */
export type UpstreamScheme = "http" | "https" | "tcp" | "tls";

/** The program here that callers in the cluster reach. */
export interface Upstream {
  readonly scheme: UpstreamScheme;
  /** As the user meant it, to show. */
  readonly url: string;
  readonly host: string;
  readonly port: number;
  /** What comes before each request's path; `/` for nothing. */
  readonly path: string;
  /** How the program's certificate is checked, where the scheme is https; as {@link UpstreamTls} has it. */
  readonly trust?: Pick<UpstreamTls, "ca" | "insecure">;
  /** What an https program is offered where its caller's TLS agreed on nothing (ALPN, RFC 7301). @default {"http/1.1"} */
  readonly alpn?: string;
}

/** The program here could not be connected to. The message names it and says why. */
export class UpstreamError extends Error {
  override readonly name = "UpstreamError";
}

/** Reads `http://localhost:8080`, `localhost:8080`, `8080`, `https://…`, `tcp://…` or `tls://…`. @throws UserError that says what is wrong */
export function parseUpstream(text: string): Upstream {
  const full = /^\d+$/.test(text) ? `http://localhost:${text}` : /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  if (!URL.canParse(full)) throw usageError(`"${text}" is not a URL: try http://localhost:8080`);
  const url = new URL(full);
  if (url.username || url.password) throw usageError("the URL holds a user name: callers send their own credentials");
  const scheme = url.protocol.slice(0, -1);
  if (!isScheme(scheme)) throw usageError(`"${text}" has the scheme ${scheme}: http, https, tcp and tls are what works`);
  if (url.search || url.hash) throw usageError(`"${text}" has a query or fragment: a path is all that goes before each request's own`);
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const path = url.pathname || "/";
  if (path !== "/" && (scheme === "tcp" || scheme === "tls")) {
    throw usageError(`"${text}" has a path, but ${scheme}:// is bytes without requests: only ${scheme}://HOST:PORT works`);
  }
  const port = url.port === "" ? DEFAULT_PORTS[scheme] : Number(url.port);
  if (host === "" || !port) throw usageError(`"${text}" names no ${host === "" ? "host" : "port"}: ${scheme}://HOST:PORT is needed`);
  return {
    scheme,
    url: `${scheme}://${url.host}${path === "/" ? "" : path}`,
    host,
    port,
    path,
    ...(scheme === "https" ? { trust: { insecure: isLoopback(host) } } : {}),
  };
}

/**
 * Connects to the program here, over TLS where its URL says https.
 * @param alpn what the caller negotiated (RFC 7301), where it did: the program is offered exactly that
 * @throws UpstreamError
 */
export async function dialUpstream(upstream: Upstream, alpn = upstream.alpn ?? "http/1.1"): Promise<Connection> {
  const socket = await connect(upstream);
  if (!upstream.trust) return new TcpConnection(socket);
  const tls: UpstreamTls = { host: upstream.host, alpn, ...upstream.trust };
  const starting = startUpstreamTls(socket, tls);
  try {
    return await within(CONNECT_MS, starting, (late) => late.reset());
  } catch (cause) {
    const why = cause instanceof Deno.errors.TimedOut ? "did not finish its TLS handshake in time" : whyNoTls(cause as Error, tls);
    throw new UpstreamError(`${upstream.url} ${why}`, { cause });
  }
}

async function connect(upstream: Upstream): Promise<Deno.TcpConn> {
  // What "localhost" means differs: programs listen on one of the two, few on both.
  const hosts = upstream.host === "localhost" ? ["127.0.0.1", "::1"] : [upstream.host];
  let failure: unknown;
  for (const hostname of hosts) {
    try {
      return await within(CONNECT_MS, Deno.connect({ hostname, port: upstream.port }), (late) => late.close());
    } catch (error) {
      failure = error;
    }
  }
  throw new UpstreamError(`${upstream.url} ${whyNot(failure)}`, { cause: failure });
}

/** What is promised, if it comes in time; what comes later is given to `tooLate`. @throws Deno.errors.TimedOut */
async function within<T>(ms: number, promised: Promise<T>, tooLate: (value: T) => void): Promise<T> {
  const timer = Promise.withResolvers<never>();
  const timeout = setTimeout(() => timer.reject(new Deno.errors.TimedOut("timed out")), ms);
  try {
    return await Promise.race([promised, timer.promise]);
  } catch (error) {
    if (error instanceof Deno.errors.TimedOut) promised.then(tooLate, () => {});
    throw error;
  } finally {
    clearTimeout(timeout);
  }
}

function whyNot(error: unknown): string {
  if (error instanceof Deno.errors.ConnectionRefused) return "refused the connection: is the program running?";
  if (error instanceof Deno.errors.TimedOut) return "did not accept a connection in time";
  if (/failed to lookup address|name or service not known|no such host/i.test(String(error))) {
    return "is not known: its name does not resolve";
  }
  return `could not be connected to: ${(error as Error).message}`;
}

function isScheme(text: string): text is UpstreamScheme {
  return Object.hasOwn(DEFAULT_PORTS, text);
}
