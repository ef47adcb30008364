import { usageError } from "../command/errors.ts";
import { MAX_PORT } from "../command/flag_values.ts";
import { isLoopback } from "../local/loopback.ts";

/** The schemes of upstream URLs and their default ports. `tcp` and `tls` carry bytes; with `tls`, the callers' own TLS reaches the program. */
const DEFAULT_PORTS = { http: 80, https: 443, tcp: undefined, tls: undefined } as const;
/** What people write for another scheme than ours. */
const OTHER_SCHEMES = new Map([
  ["ws", "http"],
  ["wss", "https"],
  ["grpc", "tcp"],
  ["grpcs", "tls"],
  ["h2c", "http"],
  ["ssl", "tls"],
  ["mysql", "tcp"],
  ["postgres", "tcp"],
  ["postgresql", "tcp"],
  ["redis", "tcp"],
]);
/** An object as kubectl port-forward takes it: `svc/web`. */
const KUBECTL_TARGET =
  /^(?:svc|services?|po|pods?|deploy|deployments?|rs|replicasets?|sts|statefulsets?|ds|daemonsets?|jobs?)\/([a-z0-9.-]+)(?::\w+)?$/i;

/** A name, an IPv4 address, or an IPv6 address in brackets, each before the URL standard looks at it closer. */
const HOST = /^(?:\[[0-9a-f:.]+\]|(?!.*\.\.)[\p{L}\p{N}_](?:[\p{L}\p{M}\p{N}_.-]*[\p{L}\p{M}\p{N}_.])?)$/iu;

/** The scheme of an upstream's URL. */
export type UpstreamScheme = keyof typeof DEFAULT_PORTS;

/** The program on this machine that callers in the cluster reach. */
export interface Upstream {
  readonly scheme: UpstreamScheme;
  /** As the user meant it, to show. */
  readonly url: string;
  readonly host: string;
  readonly port: number;
  /** What precedes each request's path; `/` for nothing. */
  readonly path: string;
  /** With `https` only: whether any certificate is accepted, or the authorities (PEM) to trust in addition to the system's. */
  readonly trust?: { readonly insecure: boolean; readonly ca?: string };
  /** The protocol (ALPN, RFC 7301) offered to an `https` program whose caller negotiated none. @default {"http/1.1"} */
  readonly alpn?: string;
}

/**
 * Reads `http://localhost:8080`, `localhost:8080`, `8080`, `https://…`, `tcp://…` or `tls://…`. The grammar is stricter than the URL
 * standard's, whose parser makes 0.0.31.144 of `8080:80`, 1.2.0.3 of `1.2.3` and the host "http" of `http:/localhost`.
 * @throws UserError that says what was probably meant; it never repeats a password
 */
export function parseUpstream(text: string): Upstream {
  refuseMistakes(text);
  const given = /^([a-z][a-z0-9+.-]*):\/\/(.*)$/is.exec(text);
  const scheme = (given?.[1] ?? "http").toLowerCase();
  const [, authority = "", path = ""] = /^([^/]*)(.*)$/s.exec(given?.[2] ?? (/^\d+$/.test(text) ? `localhost:${text}` : text)) ?? [];
  if (!isScheme(scheme)) {
    const meant = OTHER_SCHEMES.get(scheme);
    throw wrong(text, `has the scheme ${scheme}, but kurun supports http, https, tcp and tls`, meant && `${meant}://${authority}`);
  }
  const [shownHost, port] = hostAndPort(text, scheme, authority);
  if (carriesBytes(scheme) && path !== "" && path !== "/") {
    throw wrong(text, `has a path, but ${scheme}:// carries bytes without requests`, `${scheme}://${authority}`);
  }
  const host = shownHost.replace(/^\[|\]$/g, "");
  const cleanPath = new URL(`http://localhost${path}`).pathname;
  const shownPort = port === DEFAULT_PORTS[scheme] ? "" : `:${port}`;
  return {
    scheme,
    url: `${scheme}://${shownHost}${shownPort}${cleanPath === "/" ? "" : cleanPath}`,
    host,
    port,
    path: cleanPath,
    ...(scheme === "https" ? { trust: { insecure: isLoopback(host) } } : {}),
  };
}

/** Refuses what a URL parser would read as something else than the user meant. @throws UserError */
function refuseMistakes(text: string): void {
  const bare = text.replace(/^[a-z][a-z0-9+.-]*:\/\//i, "");
  // A password may hold a slash, and a path may hold an @: behind a host's colon only digits are a port.
  if (/^[^/]*@|^(?:\[[^\]]*\]|[^/@:[])*:(?!\d{1,5}\/)[^@]*@/.test(bare)) {
    throw usageError("the URL contains a user name or password. Remove it: callers send their own credentials");
  }
  const target = KUBECTL_TARGET.exec(text)?.[1];
  if (target !== undefined) {
    throw wrong(text, "is an object in the cluster, not a program on this machine", `http://localhost:PORT --servicename ${target}`);
  }
  if (/[\s\\]|\p{Cc}/u.test(text)) {
    const cleaned = text.trim().replaceAll("\\", "/").replace(/^(\S+)\s+(\d{1,5})$/, "$1:$2");
    throw wrong(
      text,
      `contains ${text.includes("\\") ? "a backslash" : "white space"}`,
      /[\s]|\p{Cc}/u.test(cleaned) ? undefined : cleaned,
    );
  }
  if (/[?#]/.test(text)) {
    throw wrong(text, "has a query or fragment, but kurun can prepend only a path to each request's path", text.replace(/[?#].*$/s, ""));
  }
  const scheme = /^([a-z]+):\/\//i.exec(text)?.[1]?.toLowerCase() ?? "http";
  const authority = bare.split("/")[0]!;
  const isSchemeOnly = /^(https?|tcp|tls|wss?):/i.test(bare);
  if (!isSchemeOnly && !authority.startsWith("[") && /:.*:/.test(authority)) refuseColons(text, scheme, authority);
  const badSlashes = /^(https?|tcp|tls|wss?)(?:[:/]+|$)(.*)$/i.exec(text);
  if (badSlashes && !/^[a-z]+:\/\/[^/:]/i.test(text)) {
    const [, before, rest = ""] = badSlashes;
    const meant = rest === "" ? "localhost:PORT" : rest.replace(/^(?=\d{1,5}(\/|$))/, "localhost:");
    throw wrong(text, `needs :// and a host after ${before}`, `${before}://${meant}`);
  }
  if (/^\d{0,5}:\d{0,5}$/.test(bare)) refuseColons(text, scheme, `localhost:${bare}`);
}

/** Refuses `HOST:PORT:PORT`, as in kubectl port-forward, and IPv6 addresses without brackets. @throws UserError */
function refuseColons(text: string, scheme: string, authority: string): void {
  const isAddress = (address: string) => URL.canParse(`http://[${address}]`);
  const [, host = "", local = "", service = ""] = /^(.*?):(\d{0,5}):(\d{0,5})$/.exec(authority) ?? [];
  if (host !== "" && !host.includes(":")) {
    if (local === "" || service === "") throw wrong(text, "is not a URL", `${scheme}://${host}:${local || service || "PORT"}`);
    throw wrong(text, "is not a URL", `${scheme}://${host}:${local} --serviceport ${service}`);
  }
  const [, address = "", port = ""] = /^(.*[^:]):(\d{2,5})$/.exec(authority) ?? [];
  const meant = isAddress(address)
    ? `${scheme}://[${address}]:${port}`
    : isAddress(authority)
    ? `${scheme}://[${authority}]:PORT`
    : undefined;
  throw wrong(text, "is not a URL; an IPv6 address is written in brackets", meant);
}

function hostAndPort(text: string, scheme: UpstreamScheme, authority: string): [host: string, port: number] {
  const [, shown, portText] = /^(\[[^\]]*\]|[^:]*)(?::(.*))?$/.exec(authority) ?? [];
  if (shown === undefined || shown === "") {
    throw wrong(text, "has no host", portText ? `${scheme}://localhost:${portText}` : `${scheme}://localhost:PORT`);
  }
  const canonical = HOST.test(shown) && URL.canParse(`http://${shown}`) ? new URL(`http://${shown}`).hostname : undefined;
  if (canonical === undefined) throw wrong(text, `has the host ${shown}, which is neither a name nor an address`);
  if (/^\d+(\.\d+){3}$/.test(canonical) && canonical !== shown) {
    throw wrong(text, `has the host ${shown}, which URLs read as ${canonical}; write all four numbers of an IPv4 address`);
  }
  const port = portText === undefined ? DEFAULT_PORTS[scheme] : Number(portText);
  if (port === undefined) throw wrong(text, "has no port", `${scheme}://${shown}:PORT`);
  if (portText !== undefined && (!/^\d{1,5}$/.test(portText) || port < 1 || port > MAX_PORT)) {
    throw wrong(text, portText === "" ? "has no port after its colon" : `has the port ${portText}; ports are 1 to ${MAX_PORT}`);
  }
  return [canonical, port];
}

function wrong(text: string, what: string, meant?: string): Error {
  return usageError(`"${text}" ${what}. ${meant ? `Did you mean: kurun port-forward ${meant}` : "Example: http://localhost:8080"}`);
}

/** Whether callers' bytes pass through as they are: they need not be HTTP. */
export function carriesBytes(scheme: UpstreamScheme): scheme is "tcp" | "tls" {
  return scheme === "tcp" || scheme === "tls";
}

function isScheme(text: string): text is UpstreamScheme {
  return Object.hasOwn(DEFAULT_PORTS, text);
}
