import { ApiError } from "../k8s/api_error.ts";
import { type ClusterSession, SessionGoneError } from "../k8s/session.ts";
import { pause } from "./pause.ts";

/** The deadline moves at least this often, so that `kurun ls` tells who is there. */
const LONGEST_MS = 30_000;
/** A failed attempt is made again after this. */
const RETRY_MS = 2_000;
/** So many refusals in a row are meant: an API server that starts refuses for a moment, before it knows the roles. */
const FINAL_REFUSALS = 8;

/** Moves a session's deadline until aborted. @throws SessionGoneError, or an ApiError when the right to do so is gone for good */
export async function keepSession(session: ClusterSession, signal: AbortSignal): Promise<void> {
  const { ttlSeconds } = session.plan;
  const period = ttlSeconds > 0 ? Math.min(LONGEST_MS, ttlSeconds * 1000 / 3) : LONGEST_MS;
  let refusals = 0;
  while (!signal.aborted) {
    try {
      await session.renew();
      refusals = 0;
      await pause(period, signal);
    } catch (error) {
      if (error instanceof SessionGoneError) throw error;
      refusals = isRefusal(error) ? refusals + 1 : 0;
      if (refusals === FINAL_REFUSALS) throw error;
      // Without the network the deadline cannot be moved; what the cluster did meanwhile is learnt when it is back.
      await pause(Math.min(RETRY_MS, period), signal);
    }
  }
}

function isRefusal(error: unknown): boolean {
  return error instanceof ApiError && error.status === 403;
}
