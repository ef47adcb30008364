import { MAX_HOLD_MS } from "../tunnel/mod.ts";

/** The server's settings from its arguments; secrets come in files. */
export interface ServerConfig {
  /** The session's name. */
  readonly session: string;
  /** Names this run of the server. */
  readonly instance: string;
  readonly controlPort: number;
  readonly requestPorts: readonly number[];
  /** The session's Services as callers name them: `NAME.NAMESPACE.svc:PORT`. */
  readonly services: readonly string[];
  /** How long a caller waits for a client, in milliseconds. */
  readonly holdMs: number;
  /** The answer to an admission request while nobody can be asked: 503, as for all others, or allowed. */
  readonly fallback: "error" | "allow";
  /** Whether each connection gets a line in the log. */
  readonly verbose: boolean;
  /** The folder with the session's `key`, `tls.crt` and `tls.key`. */
  readonly secretDir: string;
  /** The folder with `tls.crt` and `tls.key` of the request ports, where they serve TLS. */
  readonly tlsDir?: string;
  /** The protocols that their TLS accepts, best first (ALPN, RFC 7301). */
  readonly alpn: readonly string[];
  /** The folder for the client's programs, where this Pod runs programs; it then has no request ports. */
  readonly run?: string;
  /** The folder that the server was copied to, where the Pod runs another image. */
  readonly base?: string;
  /** Copies the server to that folder, and does nothing else. */
  readonly copyBase: boolean;
}

/** The arguments. */
const KNOWN =
  /^--(?:verbose|copy-base|(?:session|instance|control-port|request-port|service|hold-ms|secret-dir|fallback|tls-dir|alpn|run|base)=.*)$/s;

/**
 * Reads the server's arguments, without parseArgs: a first module of node costs the start of the Pod 20 ms.
 * @throws TypeError or RangeError that names the wrong one
 */
export function parseServerArgs(args: readonly string[]): ServerConfig {
  const all = (name: string) => args.flatMap((arg) => arg.startsWith(`--${name}=`) ? [arg.slice(name.length + 3)] : []);
  const one = (name: string, otherwise = "") => all(name).at(-1) ?? otherwise;
  const optional = (key: "tlsDir" | "run" | "base", name: string) => one(name) === "" ? {} : { [key]: one(name) };
  const unknown = args.find((arg) => !KNOWN.test(arg));
  if (unknown !== undefined) throw new TypeError(`${unknown} is not an argument of the server`);
  const [session, instance, fallback] = [one("session"), one("instance"), one("fallback", "error")];
  if (session === "" || instance === "") throw new TypeError("--session and --instance are required");
  if (fallback !== "error" && fallback !== "allow") throw new TypeError(`--fallback must be error or allow, got ${fallback}`);
  const ports = all("request-port");
  return {
    session,
    instance,
    controlPort: integer("--control-port", one("control-port", "8333"), 1, 65535),
    requestPorts: (ports.length > 0 ? ports : ["8444"]).map((port) => integer("--request-port", port, 1, 65535)),
    services: all("service"),
    holdMs: integer("--hold-ms", one("hold-ms", "3000"), 0, MAX_HOLD_MS),
    fallback,
    secretDir: one("secret-dir", "/kurun/session"),
    verbose: args.includes("--verbose"),
    ...optional("tlsDir", "tls-dir"),
    alpn: all("alpn"),
    ...optional("run", "run"),
    ...optional("base", "base"),
    copyBase: args.includes("--copy-base"),
  };
}

function integer(flag: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < least || value > most) throw new RangeError(`${flag} must be ${least} to ${most}, got ${text}`);
  return value;
}
