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
import { type DialOptions, dialUpstream, UpstreamError } from "../port_forward/upstream.ts";
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
  if (await dialProblem(plain, { signal })) return;
  throw usageError(`a program already listens at ${upstream.url}. End it first, or leave out the command after --`);
}

/**
 * Waits, however long it takes, until the program accepts connections and, with https, has answered a TLS handshake.
 * @returns the upstream, which verifies the program against the session's authority if it has the session's certificate
 * @throws UserError if there is no such host, or the program speaks another protocol or its certificate is refused; the signal's reason
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
      if (connectionErrorKind(error.cause) === "dns") throw mistaken(error.message, error);
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

async function secured(upstream: Upstream, options: AwaitOptions, tell: (line: string) => void): Promise<Upstream> {
  const { caPem, say, signal } = options;
  const { url, host, port, trust } = upstream;
  const verifying = { ...upstream, trust: { insecure: false, ca: (trust?.ca ?? "") + caPem } };
  const slow = () =>
    tell(`Waiting: ${url} accepts connections but does not answer the TLS handshake. Is the program paused in a debugger?`);
  // A program whose certificate is refused logs an error: one with a certificate of its own, which need not be verified, gets no reason to.
  const problem = await dialProblem(trust?.insecure ? upstream : verifying, { signal, slow });
  const kind = problem && connectionErrorKind(problem.cause);
  if (kind === "tls" && /corrupt message|InvalidContentType|wrong version/i.test(String(problem?.cause))) {
    throw mistaken(`${url} does not speak TLS. If it speaks plain HTTP: kurun webhook ${withScheme("http", upstream)}`);
  }
  if (kind?.startsWith("tls")) throw mistaken(problem?.message ?? url, problem);
  if (problem) throw problem;
  const certificate = await peerCertificate({ host, port, tls: {} }, signal);
  signal.throwIfAborted();
  const isFromSession = certificate?.issuer === SESSION_CA;
  const isUnverified = trust?.insecure && (!isFromSession || await dialProblem(verifying, { signal }));
  const has = isFromSession
    ? isUnverified ? "the certificate of an earlier session" : "this session's certificate"
    : "a certificate of its own";
  if (!isUnverified) {
    say(`${url} has ${has}, which kurun verifies`);
    return verifying;
  }
  const expired = certificate && certificate.validTo < new Date() ? `, which expired at ${certificate.validTo.toISOString()}` : "";
  const advice = isFromSession ? "Restart the program" : "kurun does not verify it, because the program is on this machine";
  say(`${isFromSession ? "Warning: " : ""}${url} has ${has}${expired}. ${advice}`);
  return upstream;
}

/** What prevents a connection. @throws the signal's reason */
function dialProblem(upstream: Upstream, options: DialOptions): Promise<UpstreamError | undefined> {
  return dialUpstream(upstream, options).then((connection) => void connection.reset(), (error) => {
    if (error instanceof UpstreamError) return error;
    throw error;
  });
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
