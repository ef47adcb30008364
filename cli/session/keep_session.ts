import { ApiError } from "../../k8s/api/api_error.ts";
import { type ClusterSession, SessionGoneError } from "../../k8s/session/session.ts";
import type { Alarm } from "../command/timers.ts";

/** The deadline moves at least this often, so that `kurun ls` tells who is there. */
const LONGEST_MS = 30_000;
/** A failed attempt is made again after this. */
const RETRY_MS = 2_000;
/** An answer may take so long: after a sleep or in another network a connection that was kept takes what is sent and says nothing. */
const ANSWER_MS = 5_000;
/** And at last so long, doubled with each attempt that failed, since an API server may be that slow. */
const LONGEST_ANSWER_MS = 40_000;
/** So many refusals in a row are meant: an API server that starts refuses for a moment, before it knows the roles. */
const FINAL_REFUSALS = 5;

/** The right to keep the session was taken away. */
export class RightsLostError extends Error {
  override readonly name = "RightsLostError";
}

/**
 * Moves a session's deadline until aborted.
 * @param alarm rung when there is reason to look at once whether the session still is
 * @throws SessionGoneError, or RightsLostError when the right to do so is gone for good
 */
export async function keepSession(session: ClusterSession, alarm: Alarm, signal: AbortSignal): Promise<void> {
  const { ttlSeconds } = session.plan;
  const period = ttlSeconds > 0 ? Math.min(LONGEST_MS, ttlSeconds * 1000 / 3) : LONGEST_MS;
  let refusals = 0;
  let failures = 0;
  while (!signal.aborted) {
    try {
      await session.renew(Math.min(LONGEST_ANSWER_MS, ANSWER_MS * 2 ** failures));
      refusals = 0;
      failures = 0;
      await alarm.pause(period, signal);
    } catch (error) {
      if (error instanceof SessionGoneError) throw error;
      failures++;
      const refused = error instanceof ApiError && error.status === 403;
      refusals = refused ? refusals + 1 : 0;
      if (refused && refusals === FINAL_REFUSALS) throw new RightsLostError(error.message, { cause: error });
      // Without the network the deadline cannot be moved; what the cluster did meanwhile is learnt when it is back.
      await alarm.pause(Math.min(RETRY_MS, period), signal);
    }
  }
}
