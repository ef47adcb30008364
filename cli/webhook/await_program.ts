/**
 * Waits until the user's program can be called, and finds out how: nothing in the cluster may be sent to it before.
 *
 * @module
 */
import { connectionErrorKind } from "../../k8s/api/connection_error.ts";
import { peerCertificate } from "../../k8s/api/dial.ts";
import { SESSION_CA } from "../../k8s/certificate/session_ca.ts";
import { ExitCode, usageError, UserError } from "../command/errors.ts";
import { pause } from "../command/timers.ts";
import { dialUpstream, UpstreamError } from "../port_forward/upstream.ts";
import type { Upstream } from "../port_forward/upstream_url.ts";

/** What {@link awaitProgram} needs to know. */
export interface AwaitOptions {
  /** The certificate of the session's authority, PEM. */
  readonly caPem: string;
  /** Prints a line. */
  readonly say: (line: string) => void;
  /** Aborted when nobody waits any more. */
  readonly signal: AbortSignal;
}

const POLL_MS = 100;
/** The user learns what kurun waits for after this. */
const QUIET_MS = 1_000;
/** How long a program that should speak plain HTTP may take to answer TLS. */
const PROBE_MS = 500;

/**
 * Refuses to start a command whose place is taken: reviews would go to a program that the user forgot about.
 * @throws UserError if something accepts connections already
 */
export async function checkNothingListens(upstream: Upstream, signal: AbortSignal): Promise<void> {
  const { trust: _, ...plain } = upstream;
  const connection = await dialUpstream(plain, { signal }).catch((error) => {
    if (!(error instanceof UpstreamError)) throw error;
  });
  if (!connection) return;
  connection.reset();
  throw usageError(`a program already listens at ${upstream.url}. End it first, or leave out the command after --`);
}

/**
 * Waits, however long it takes, until the program accepts connections and, with https, has answered a TLS handshake.
 * @returns the upstream, which verifies the program against the session's authority if it has the session's certificate
 * @throws UserError if the program speaks another protocol or its certificate is refused; the signal's reason
 */
export async function awaitProgram(upstream: Upstream, options: AwaitOptions): Promise<Upstream> {
  const { say, signal } = options;
  const since = performance.now();
  let told = "";
  const tell = (line: string) => {
    if (performance.now() - since < QUIET_MS || line === told) return;
    told = line;
    say(line);
  };
  for (;;) {
    try {
      return await (upstream.trust ? secured : plain)(upstream, options, tell);
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof UpstreamError)) throw error;
      const isRefused = error.cause instanceof Deno.errors.ConnectionRefused;
      tell(isRefused ? `Waiting until the program accepts connections at ${upstream.url}` : `Waiting: ${error.message}`);
    }
    await pause(POLL_MS, signal);
    signal.throwIfAborted();
  }
}

async function plain(upstream: Upstream, { signal }: AwaitOptions): Promise<Upstream> {
  const { url, host, port } = upstream;
  (await dialUpstream(upstream, { signal })).reset();
  // A program without TLS drops the handshake as a malformed request, which is not one that it would log or answer.
  const certificate = await peerCertificate({ host, port, tls: {} }, AbortSignal.any([signal, AbortSignal.timeout(PROBE_MS)]));
  signal.throwIfAborted();
  if (certificate) throw mistaken(`${url} speaks TLS. Use https: kurun webhook ${withScheme("https", upstream)}`);
  return upstream;
}

async function secured(upstream: Upstream, { caPem, say, signal }: AwaitOptions, tell: (line: string) => void): Promise<Upstream> {
  const { url, host, port, trust } = upstream;
  const verifying = { ...upstream, trust: { insecure: false, ca: (trust?.ca ?? "") + caPem } };
  const slow = () =>
    tell(`Waiting: ${url} accepts connections but does not answer the TLS handshake. Is the program paused in a debugger?`);
  const problem = await dialUpstream(verifying, { signal, slow }).then((connection) => connection.reset(), (error) => {
    if (error instanceof UpstreamError) return error;
    throw error;
  });
  const kind = problem && connectionErrorKind(problem.cause);
  if (kind === "tls" && /corrupt message|InvalidContentType|wrong version/i.test(String(problem?.cause))) {
    throw mistaken(`${url} does not speak TLS. If it speaks plain HTTP: kurun webhook ${withScheme("http", upstream)}`);
  }
  if (kind === "tls" || kind === "tls-client") throw mistaken(problem?.message ?? url, problem);
  const isRefused = kind === "tls-untrusted" || kind === "tls-name" || kind === "tls-expired";
  if (problem && !isRefused) throw problem;
  if (problem && !trust?.insecure) throw mistaken(problem.message, problem);
  const certificate = await peerCertificate({ host, port, tls: {} }, signal);
  signal.throwIfAborted();
  const isSessions = certificate?.issuer === SESSION_CA;
  if (problem && isSessions) {
    say(`Warning: ${url} still has the certificate of an earlier session. Restart the program, so that kurun can verify it`);
  } else if (problem) {
    const expired = certificate && certificate.validTo < new Date() ? `, which expired at ${certificate.validTo.toISOString()}` : "";
    say(`${url} has a certificate of its own${expired}. kurun does not verify it, because the program is on this machine`);
  } else {
    say(`${url} has ${isSessions ? "this session's certificate" : "a certificate of its own"}, which kurun verifies`);
  }
  return problem || !isSessions && trust?.insecure ? upstream : verifying;
}

function mistaken(sentence: string, cause?: unknown): UserError {
  return new UserError(sentence, ExitCode.failed, { cause });
}

/** The program's URL with another scheme and the same port. */
function withScheme(scheme: "http" | "https", { url, port }: Upstream): string {
  const other = new URL(url);
  other.protocol = scheme;
  other.port = String(port);
  return other.href.replace(/\/$/, "");
}
