import { type Command, Option } from "commander";
import { usageError } from "../command/errors.ts";
import { checkSecretName } from "../command/object_name.ts";
import { carriesBytes, type Upstream, type UpstreamScheme } from "./upstream_url.ts";

/** The flags of {@link addTlsFlags}. */
export interface TlsFlags {
  readonly tlssecret?: string;
  readonly appProtocol?: "h2";
  readonly upstreamCa?: string;
  readonly upstreamInsecure?: boolean;
}

/** The protocols of callers in the cluster. */
export interface CallerSide {
  /** Set if the Pod terminates TLS: the Secret with the certificate, and the offered protocols (ALPN, RFC 7301). */
  readonly tls?: { readonly secret: string; readonly alpn: readonly string[] };
  /** Whether callers may use HTTP/2. */
  readonly http2: boolean;
  /** The scheme of the Service's URL. */
  readonly scheme: UpstreamScheme;
  /** The `appProtocol` of the Service's port, if known. */
  readonly appProtocol?: string;
}

/** Adds the flags for TLS with callers and with the program. */
export function addTlsFlags(command: Command): Command {
  return command
    .option(
      "--tlssecret <name>",
      "callers use TLS, with the certificate in this Secret; a renewed certificate is served at once",
    )
    .addOption(
      new Option("--app-protocol <protocol>", "h2: callers may use HTTP/2 (gRPC), and the program receives HTTP/2 too").choices(["h2"]),
    )
    .option("--upstream-ca <file>", "the CA certificate (PEM) that signed the certificate of an https:// program")
    .option(
      "--upstream-insecure",
      "do not verify the certificate of an https:// program; the default if its host is this machine",
    );
}

/** Applies the flags to the upstream. @throws UserError naming the flag that does not apply */
export async function trustUpstream(upstream: Upstream, { appProtocol, upstreamCa, upstreamInsecure }: TlsFlags): Promise<Upstream> {
  const given = upstreamCa !== undefined ? "--upstream-ca" : "--upstream-insecure";
  if (!upstream.trust) {
    if (upstreamCa !== undefined || upstreamInsecure) {
      throw usageError(`${given} is only for https:// URLs, got ${upstream.url}`);
    }
    return upstream;
  }
  if (upstreamCa !== undefined && upstreamInsecure) throw usageError("--upstream-ca and --upstream-insecure cannot be combined");
  const alpn = appProtocol === undefined ? {} : { alpn: appProtocol };
  if (upstreamCa !== undefined) return { ...upstream, ...alpn, trust: { insecure: false, ca: await readAuthority(upstreamCa) } };
  return { ...upstream, ...alpn, trust: { insecure: upstreamInsecure || upstream.trust.insecure } };
}

/** The callers' protocols according to the flags. @throws UserError naming the flag that does not apply */
export function callerSide({ scheme, url }: Upstream, { tlssecret, appProtocol }: TlsFlags): CallerSide {
  if (tlssecret !== undefined) checkSecretName("--tlssecret", tlssecret);
  if (tlssecret !== undefined && scheme === "tls") {
    throw usageError(`--tlssecret terminates the callers' TLS in the Pod, but ${url} passes it through: remove --tlssecret, or use tcp://`);
  }
  const bytes = carriesBytes(scheme);
  if (appProtocol !== undefined && bytes) throw usageError(`--app-protocol is for HTTP only: ${scheme}:// passes bytes through unchanged`);
  const http2 = appProtocol === "h2";
  if (tlssecret === undefined) {
    return { http2, scheme: scheme === "https" ? "http" : scheme, ...(http2 ? { appProtocol: "kubernetes.io/h2c" } : {}) };
  }
  // A program behind tcp:// may agree on any protocol with its callers, so the Pod offers none.
  const alpn = bytes ? [] : [...(http2 ? ["h2"] : []), "http/1.1"];
  return { tls: { secret: tlssecret, alpn }, http2, ...(bytes ? { scheme: "tls" } : { scheme: "https", appProtocol: "https" }) };
}

async function readAuthority(path: string): Promise<string> {
  let pem: string;
  try {
    pem = await Deno.readTextFile(path);
  } catch (cause) {
    throw usageError(`--upstream-ca ${path} cannot be read: ${(cause as Error).message}`, { cause });
  }
  if (!pem.includes("-----BEGIN CERTIFICATE-----")) throw usageError(`--upstream-ca ${path} contains no PEM certificate`);
  return pem;
}
