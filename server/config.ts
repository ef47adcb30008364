import { parseArgs } from "node:util";
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

/** Reads the server's arguments. @throws TypeError or RangeError that names the wrong one */
export function parseServerArgs(args: string[]): ServerConfig {
  const { values } = parseArgs({
    args,
    options: {
      session: { type: "string" },
      instance: { type: "string" },
      "control-port": { type: "string", default: "8333" },
      "request-port": { type: "string", multiple: true, default: ["8444"] },
      service: { type: "string", multiple: true, default: [] },
      "hold-ms": { type: "string", default: "3000" },
      "secret-dir": { type: "string", default: "/kurun/session" },
      fallback: { type: "string", default: "error" },
      verbose: { type: "boolean", default: false },
      "tls-dir": { type: "string" },
      run: { type: "string" },
      base: { type: "string" },
      "copy-base": { type: "boolean", default: false },
      alpn: { type: "string", multiple: true, default: [] },
    },
  });
  if (!values.session || !values.instance) throw new TypeError("--session and --instance are required");
  if (values.fallback !== "error" && values.fallback !== "allow") {
    throw new TypeError(`--fallback must be error or allow, got ${values.fallback}`);
  }
  return {
    session: values.session,
    instance: values.instance,
    controlPort: integer("--control-port", values["control-port"], 1, 65535),
    requestPorts: values["request-port"].map((port) => integer("--request-port", port, 1, 65535)),
    services: values.service,
    holdMs: integer("--hold-ms", values["hold-ms"], 0, MAX_HOLD_MS),
    fallback: values.fallback,
    secretDir: values["secret-dir"],
    verbose: values.verbose,
    ...(values["tls-dir"] ? { tlsDir: values["tls-dir"] } : {}),
    alpn: values.alpn,
    ...(values.run ? { run: values.run } : {}),
    ...(values.base ? { base: values.base } : {}),
    copyBase: values["copy-base"],
  };
}

function integer(flag: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < least || value > most) throw new RangeError(`${flag} must be ${least} to ${most}, got ${text}`);
  return value;
}
