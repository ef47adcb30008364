import { type Command, Option } from "commander";
import { usageError } from "../command/errors.ts";
import { checkSecretName } from "../command/flag_values.ts";
import type { Rewrite } from "./rewrite_head.ts";
import { carriesBytes, type Upstream, type UpstreamScheme } from "./upstream_url.ts";

/** The flags of {@link addTrafficFlags}. */
export interface TrafficFlags {
  readonly verbose?: boolean;
  readonly hostHeader?: string;
  /** The answer to admission requests while no client is connected. */
  readonly fallback: "error" | "allow";
  readonly tlssecret?: string;
  readonly appProtocol?: "h2";
  readonly upstreamCa?: string;
  readonly upstreamInsecure?: boolean;
}

/** The protocols of callers in the cluster. */
export interface CallerSide {
  /** Set if the Pod terminates TLS: the Secret with the certificate, and the offered protocols (ALPN, RFC 7301). */
  readonly tls?: { readonly secret: string; readonly alpn: readonly string[] };
  /** The scheme of the Service's URL. */
  readonly scheme: UpstreamScheme;
  /** The `appProtocol` of the Service's port, if known. */
  readonly appProtocol?: string;
}

/** Adds the flags for TLS with callers, and those of {@link addProgramFlags}. */
export function addTrafficFlags(command: Command): Command {
  const callers = command
    .option(
      "--tlssecret <name>",
      "callers use TLS, with the certificate in this Secret; a renewed certificate is picked up without a restart",
    )
    .addOption(
      new Option("--app-protocol <protocol>", "h2: callers may use HTTP/2 (gRPC), and the program receives HTTP/2 too").choices(["h2"]),
    );
  return addProgramFlags(callers);
}

/** Adds the flags for TLS with the program, and for printing and changing requests. */
export function addProgramFlags(command: Command): Command {
  return command
    .option("--upstream-ca <file>", "the CA certificate (PEM) that signed the certificate of an https:// program")
    .option(
      "--upstream-insecure",
      "do not verify the certificate of an https:// program; the default if its host is this machine",
    )
    .option(
      "-v, --verbose",
      "print a line per HTTP/1 request: TIME METHOD TARGET STATUS BYTES MS CALLER; one line per connection for HTTP/2 (gRPC), tcp:// and tls://",
    )
    .option("--host-header <host>", "the Host header to send to the program (default: the caller's)")
    .addOption(
      new Option(
        "--fallback <answer>",
        "the answer to admission requests while kurun is disconnected: error is a 503; allow admits the request unchanged, " +
          "with a warning that kubectl prints",
      ).choices(["error", "allow"]).default("error"),
    );
}

/** Applies the flags to the upstream. @throws UserError naming the flag that does not apply */
export async function trustUpstream(
  upstream: Upstream,
  { appProtocol, upstreamCa, upstreamInsecure }: Partial<TrafficFlags>,
): Promise<Upstream> {
  if (!upstream.trust) {
    if (upstreamCa === undefined && !upstreamInsecure) return upstream;
    throw usageError(
      `${upstreamCa === undefined ? "--upstream-insecure" : "--upstream-ca"} is only for https:// URLs, got ${upstream.url}`,
    );
  }
  if (upstreamCa !== undefined && upstreamInsecure) throw usageError("--upstream-ca and --upstream-insecure cannot be combined");
  return {
    ...upstream,
    ...(appProtocol === undefined ? {} : { alpn: appProtocol }),
    trust: upstreamCa === undefined
      ? { insecure: upstreamInsecure || upstream.trust.insecure }
      : { insecure: false, ca: await readAuthority(upstreamCa) },
  };
}

async function readAuthority(path: string): Promise<string> {
  const pem = await Deno.readTextFile(path).catch((cause) => {
    throw usageError(`--upstream-ca ${path} cannot be read: ${(cause as Error).message}`, { cause });
  });
  if (!pem.includes("-----BEGIN CERTIFICATE-----")) throw usageError(`--upstream-ca ${path} contains no PEM certificate`);
  return pem;
}

/** The callers' protocols according to the flags. @throws UserError naming the flag that does not apply */
export function callerSide({ scheme, url }: Upstream, { tlssecret, appProtocol }: Partial<TrafficFlags>): CallerSide {
  if (tlssecret !== undefined) checkSecretName("--tlssecret", tlssecret);
  if (tlssecret !== undefined && scheme === "tls") {
    throw usageError(`--tlssecret terminates the callers' TLS in the Pod, but ${url} passes it through: remove --tlssecret, or use tcp://`);
  }
  const bytes = carriesBytes(scheme);
  if (appProtocol !== undefined && bytes) throw usageError(`--app-protocol is for HTTP only: ${scheme}:// passes bytes through unchanged`);
  const http2 = appProtocol === "h2";
  if (tlssecret === undefined) {
    return { scheme: scheme === "https" ? "http" : scheme, ...(http2 ? { appProtocol: "kubernetes.io/h2c" } : {}) };
  }
  // A program behind tcp:// may agree on any protocol with its callers, so the Pod offers none.
  const alpn = bytes ? [] : [...(http2 ? ["h2"] : []), "http/1.1"];
  return { tls: { secret: tlssecret, alpn }, ...(bytes ? { scheme: "tls" } : { scheme: "https", appProtocol: "https" }) };
}

/** The changes to requests; undefined for none. @throws UserError if the changes are impossible */
export function requestRewrite(
  { scheme, path }: Pick<Upstream, "scheme" | "path">,
  { appProtocol, hostHeader: host }: Partial<TrafficFlags>,
): Rewrite | undefined {
  if (host !== undefined && !/^[A-Za-z0-9._~%!$&'()*+;=:[\]-]+$/.test(host)) {
    throw usageError(`--host-header ${JSON.stringify(host)} is not a host: use a name such as app.example.com or localhost:8080`);
  }
  const prefix = path.replace(/\/+$/, "");
  if (prefix === "" && host === undefined) return undefined;
  const what = host === undefined ? `the URL's path ${path}` : "--host-header";
  if (carriesBytes(scheme)) throw usageError(`${what} is for HTTP only: ${scheme}:// passes bytes through unchanged`);
  if (appProtocol) throw usageError(`${what} works with HTTP/1.1 only: remove --app-protocol h2, or the path and --host-header`);
  return { prefix, host };
}

/** Checks that the Pod can give the fallback answer. @throws UserError if it cannot */
export function checkFallback(scheme: UpstreamScheme, { appProtocol, fallback }: Pick<TrafficFlags, "appProtocol" | "fallback">): void {
  if (fallback === "error") return;
  if (carriesBytes(scheme)) {
    throw usageError(`--fallback allow is for http:// and https:// URLs: kurun's Pod cannot read requests of ${scheme}://`);
  }
  if (appProtocol) {
    throw usageError("--fallback allow works with HTTP/1.1 only, which the API server uses for webhooks: remove --app-protocol h2");
  }
}
