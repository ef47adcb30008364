import type { ClusterSession } from "../../k8s/session/session.ts";
import type { Context } from "../command/context.ts";

/**
 * Removes this client's session. A failure is only printed: the deadline removes the session later, and it must not hide why the command ends.
 * @returns whether the session was removed
 */
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
export function describeRemains({ plan: { ttlSeconds } }: ClusterSession): string {
  return ttlSeconds > 0 ? `the cluster removes it within ${ttlSeconds} s` : "it stays, because --ttl is 0";
}
