import { type Command, Option } from "commander";
import { usageError } from "../command/errors.ts";
import { type Rewrite, rewriteFor } from "./rewrite_head.ts";
import { carriesBytes, type UpstreamScheme } from "./upstream_url.ts";

/** Adds the flags for printing and changing requests. */
export function addTrafficFlags(command: Command): Command {
  return command
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

/** The flags of {@link addTrafficFlags}. */
export interface TrafficFlags {
  readonly verbose?: boolean;
  readonly hostHeader?: string;
  readonly fallback: Fallback;
}

/** The answer to admission requests while no client is connected. */
export type Fallback = "error" | "allow";

/** Where requests go. */
export interface RewriteTarget {
  readonly scheme: UpstreamScheme;
  /** The URL's path; `/` or undefined if it has none. */
  readonly path?: string | undefined;
  /** Whether callers may use HTTP/2. */
  readonly http2: boolean;
}

/** The changes to requests; undefined for none. @throws UserError if they are impossible */
export function requestRewrite(
  { scheme, path, http2 }: RewriteTarget,
  { hostHeader }: Pick<TrafficFlags, "hostHeader">,
): Rewrite | undefined {
  if (hostHeader !== undefined && !/^[A-Za-z0-9._~%!$&'()*+;=:[\]-]+$/.test(hostHeader)) {
    throw usageError(`--host-header ${JSON.stringify(hostHeader)} is not a host: use a name such as app.example.com or localhost:8080`);
  }
  const rewrite = rewriteFor(path, hostHeader);
  if (!rewrite) return undefined;
  const what = hostHeader === undefined ? `the URL's path ${path}` : "--host-header";
  if (carriesBytes(scheme)) throw usageError(`${what} is for HTTP only: ${scheme}:// passes bytes through unchanged`);
  if (http2) throw usageError(`${what} works with HTTP/1.1 only: remove --app-protocol h2, or the path and --host-header`);
  return rewrite;
}

/** The value of `--fallback`. @throws UserError if the Pod cannot do it */
export function checkedFallback({ scheme, http2 }: RewriteTarget, { fallback }: Pick<TrafficFlags, "fallback">): Fallback {
  if (fallback === "error") return fallback;
  if (carriesBytes(scheme)) {
    throw usageError(`--fallback allow is for http:// and https:// URLs: kurun's Pod cannot read requests of ${scheme}://`);
  }
  if (http2) {
    throw usageError("--fallback allow works with HTTP/1.1 only, which the API server uses for webhooks: remove --app-protocol h2");
  }
  return fallback;
}
