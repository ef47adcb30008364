import { ApiError } from "../../k8s/api/api_error.ts";
import { type ClusterSession, SessionGoneError } from "../../k8s/session/session.ts";
import { isWebhook } from "../../k8s/session/objects/session_plan.ts";
import type { Context } from "../command/context.ts";
import type { Alarm } from "../command/timers.ts";

/** The deadline moves at least this often, so that `kurun ls` shows which clients are alive. */
const LONGEST_MS = 30_000;
/** The pause after a failed attempt. */
const RETRY_MS = 2_000;
/** The first timeout of an answer: after a sleep or a change of network, a kept connection accepts requests and never answers. */
const ANSWER_MS = 5_000;
/** The longest timeout; it doubles with each failure, because an API server can be this slow. */
const LONGEST_ANSWER_MS = 40_000;
/** This many refusals in a row are final: an API server that starts refuses until it has loaded the roles. */
const FINAL_REFUSALS = 5;

/** The right to keep the session was revoked. */
export class RightsLostError extends Error {
  override readonly name = "RightsLostError";
}

/**
 * Moves a session's deadline until aborted.
 * @param alarm rings if the session may be gone, so that it is checked at once
 * @throws SessionGoneError, or RightsLostError if the right to do so was revoked
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
      // Without a network the deadline cannot move. The next attempt that succeeds shows what the cluster did meanwhile.
      await alarm.pause(Math.min(RETRY_MS, period), signal);
    }
  }
}

/** Removes this client's session. @returns whether that worked; a failure is only printed, and must not hide why the command ends */
export async function removeOwnSession(context: Pick<Context, "stderr">, session: ClusterSession): Promise<boolean> {
  try {
    await session.delete();
    return true;
  } catch (error) {
    context.stderr(`Session ${session.plan.name} could not be removed (${(error as Error).message}): ${describeRemains(session)}\n`);
    return false;
  }
}

/** What becomes of a session that was not removed. */
export function describeRemains({ plan }: ClusterSession): string {
  if (plan.ttlSeconds === 0) return "it stays, because --ttl is 0";
  const configurations = isWebhook(plan) ? "; its webhook configurations have no effect then, and kurun cleanup removes them" : "";
  return `the cluster removes it within ${plan.ttlSeconds} s${configurations}`;
}
