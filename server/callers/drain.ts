import { CloseCode, type LiveClient } from "../control/live_client.ts";
import { pause } from "../net/timing.ts";
import type { OpenCallers } from "./open_callers.ts";

/**
 * Callers are accepted for at least ACCEPT_MS, and then until none has come for QUIET_MS: the nodes' proxies learn later than the Pod that
 * it is being stopped (from an EndpointSlice, which they read once a second at most), and send callers here until the next Pod is ready.
 */
const ACCEPT_MS = 2_000;
const QUIET_MS = 1_000;
const POLL_MS = 50;
/** The caller that was accepted last has this long to send something: not every caller retries after an end without an answer. */
const FIRST_BYTES_MS = 500;
/** Whatever is open then is cut. The Pod's grace period (terminationGracePeriodSeconds) is two seconds longer. */
const DEADLINE_MS = 8_000;
/** Long enough for the client to read the reason, and for callers to read their 503. */
const GOODBYE_MS = 500;

/** What is drained. */
export interface DrainOptions {
  readonly live: LiveClient;
  readonly callers: OpenCallers;
  /** The request ports. */
  readonly ports: readonly { close(): void }[];
  readonly log: (line: string) => void;
}

/**
 * Ends the server's work without a gap: the client is told to dial the next Pod, new callers are still served for a while, open requests
 * are answered, and what is left at the deadline is reset.
 */
export async function drain({ live, callers, ports, log }: DrainOptions): Promise<void> {
  const since = performance.now();
  live.drain();
  callers.drain();
  while (acceptsMore(performance.now() - since, performance.now() - callers.arrivedAt)) await pause(POLL_MS);
  for (const port of ports) port.close();
  await pause(FIRST_BYTES_MS);
  callers.closeIdle();
  const left = Math.max(0, since + DEADLINE_MS - performance.now());
  const finished = await Promise.race([callers.allGone().then(() => true), pause(left)]);
  log(finished ? "drained" : `not drained within ${DEADLINE_MS / 1000} s: the open connections are closed`);
  live.session?.close(CloseCode.stopping, "the server is being stopped");
  await pause(GOODBYE_MS);
  callers.reset();
}

function acceptsMore(drainingMs: number, quietMs: number): boolean {
  return drainingMs < ACCEPT_MS || (quietMs < QUIET_MS && drainingMs < DEADLINE_MS);
}
