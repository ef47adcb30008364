import { TcpConnection } from "./tcp_connection.ts";
import { usageError } from "./errors.ts";

/** How long the program here may take to accept a connection. */
const CONNECT_MS = 10_000;

/** The program here that callers in the cluster reach. */
export interface Upstream {
  /** As the user meant it, to show. */
  readonly url: string;
  readonly host: string;
  readonly port: number;
}

/** The program here could not be connected to. The message names it and says why. */
export class UpstreamError extends Error {
  override readonly name = "UpstreamError";
}

/** Reads `http://localhost:8080`, `localhost:8080` or `8080`. @throws UserError that says what is wrong */
export function parseUpstream(text: string): Upstream {
  const full = /^\d+$/.test(text) ? `http://localhost:${text}` : /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  if (!URL.canParse(full)) throw usageError(`"${text}" is not a URL: try http://localhost:8080`);
  const url = new URL(full);
  if (url.protocol !== "http:") throw usageError(`"${text}" has the scheme ${url.protocol.slice(0, -1)}: http is what works`);
  if (url.username || url.password) throw usageError("the URL holds a user name: callers send their own credentials");
  if (url.pathname !== "/" || url.search || url.hash) throw usageError(`"${text}" has a path: only http://HOST:PORT works`);
  const host = url.hostname.replace(/^\[|\]$/g, "");
  return { url: `http://${url.host}`, host, port: url.port === "" ? 80 : Number(url.port) };
}

/** Connects to the program here. @throws UpstreamError */
export async function dialUpstream(upstream: Upstream): Promise<TcpConnection> {
  // What "localhost" means differs: programs listen on one of the two, few on both.
  const hosts = upstream.host === "localhost" ? ["127.0.0.1", "::1"] : [upstream.host];
  let failure: unknown;
  for (const host of hosts) {
    try {
      return new TcpConnection(await dial(host, upstream.port));
    } catch (error) {
      failure = error;
    }
  }
  throw new UpstreamError(`${upstream.url} ${whyNot(failure)}`, { cause: failure });
}

async function dial(hostname: string, port: number): Promise<Deno.TcpConn> {
  const connecting = Deno.connect({ hostname, port });
  const timer = Promise.withResolvers<never>();
  const timeout = setTimeout(() => timer.reject(new Deno.errors.TimedOut("timed out")), CONNECT_MS);
  try {
    return await Promise.race([connecting, timer.promise]);
  } catch (error) {
    if (error instanceof Deno.errors.TimedOut) connecting.then((late) => late.close(), () => {});
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
