import type { Server } from "node:net";
import { CloseCode, type LiveClient } from "../control/live_client.ts";
import type { OpenCallers } from "./open_callers.ts";
import { pause } from "../timing.ts";

/**
 * Callers are accepted for so long at least, and then until none has come for a while: the nodes' proxies learn later than a Pod that it
 * is being stopped (a change of an EndpointSlice, taken in once a second at most), and lead callers to it until the next one is ready.
 */
const ACCEPT_MS = 2_000;
const QUIET_MS = 1_000;
const POLL_MS = 50;
/** Whoever was accepted last has this long to say something: an end without an answer is not tried again by every caller. */
const FIRST_BYTES_MS = 500;
/** What has not ended then is cut. The Pod's grace (terminationGracePeriodSeconds) is two seconds longer. */
const DEADLINE_MS = 8_000;
/** Long enough for the client to hear why, and for callers to read their 503. */
const GOODBYE_MS = 500;

/** What is drained. */
export interface DrainOptions {
  readonly live: LiveClient;
  readonly callers: OpenCallers;
  /** The request ports. */
  readonly ports: readonly Server[];
  readonly log: (line: string) => void;
}

/**
 * Ends the server's work without a gap: the client is told to dial the next Pod, new callers are served a while, open requests are
 * answered, and what is left at the deadline is reset.
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
  log(finished ? "drained" : `not drained within ${DEADLINE_MS / 1000} s: what is open is cut`);
  live.session?.close(CloseCode.stopping, "the server is being stopped");
  await pause(GOODBYE_MS);
}

function acceptsMore(drainingMs: number, quietMs: number): boolean {
  return drainingMs < ACCEPT_MS || (quietMs < QUIET_MS && drainingMs < DEADLINE_MS);
}
