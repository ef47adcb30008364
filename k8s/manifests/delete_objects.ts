/** Deletes objects, and waits until they are gone. */

import type { Api } from "../api/api.ts";
import { ApiError } from "../api/api_error.ts";
import type { Condition, Live, Metadata, StatusDetails } from "../api/kubernetes_objects.ts";
import { sleep } from "../api/sleep.ts";

/** An object to delete. */
export interface Deletable {
  readonly path: string;
  /** Deletes only the object with this uid, not a later one of the same name. */
  readonly uid?: string;
}

const POLL_MS = 100;

/**
 * Marks an object for deletion, with everything it owns.
 * @returns its uid, to wait for; undefined if it does not exist
 * @throws as {@linkcode Api.request} does
 */
export async function deleteObject(
  api: Api,
  { path, uid }: Deletable,
  { dryRun, signal }: { dryRun: boolean; signal: AbortSignal },
): Promise<string | undefined> {
  try {
    const { body } = await api.delete<{ metadata?: Metadata; details?: StatusDetails }>(path, { uid, dryRun, signal });
    // The answer is the object if it stays for a while, otherwise a Status.
    return body.details?.uid ?? body.metadata?.uid ?? "";
  } catch (error) {
    // The first of two requests has deleted it; its connection broke before the answer.
    if (error instanceof ApiError && error.status === 404 && error.repeated) return "";
    if (error instanceof ApiError && (error.status === 404 || (uid !== undefined && error.status === 409))) return undefined;
    throw error;
  }
}

/** Objects that are gone sooner need no message. */
const QUIET_MS = 3_000;

/**
 * Waits until an object is gone; false after the time limit.
 * @param options.waits called once, if it takes long, with what keeps the object
 * @throws as {@linkcode Api.request} does
 */
export async function objectGone(
  api: Api,
  { path, uid }: Deletable,
  { withinMs, waits, signal }: { withinMs: number; waits: (why: string) => void; signal: AbortSignal },
): Promise<boolean> {
  const began = performance.now();
  let isTold = false;
  while (true) {
    const live = (await api.find<Live & Ending>(path, { signal }))?.body;
    if (live === undefined || (uid && live.metadata.uid !== uid)) return true;
    const passed = performance.now() - began;
    if (withinMs !== 0 && passed > withinMs) return false;
    const why = passed > QUIET_MS && !isTold ? whatKeeps(live) : undefined;
    if (why !== undefined) {
      isTold = true;
      waits(why);
    }
    await sleep(POLL_MS, signal);
  }
}

/** The fields of an object that explain why it is still there. */
interface Ending {
  readonly metadata: Metadata;
  readonly status?: { readonly conditions?: readonly Condition[] };
}

/** Why an object that is marked for deletion still exists; undefined if nothing shows it. */
export function whatKeeps({ metadata, status }: Ending): string | undefined {
  const { finalizers = [], deletionGracePeriodSeconds } = metadata;
  // Namespaces report what is left in them, CustomResourceDefinitions what their objects wait for.
  const reasons = (status?.conditions ?? []).flatMap(({ type, status, message }) =>
    status === "True" && message && /Terminating|Deletion|Remaining/.test(type) ? [message] : []
  );
  if (finalizers.length > 0) reasons.unshift(`its finalizers are not done: ${finalizers.join(", ")}`);
  if (reasons.length === 0 && deletionGracePeriodSeconds) reasons.push(`it has ${deletionGracePeriodSeconds} s to stop`);
  return reasons.length > 0 ? reasons.join("; ") : undefined;
}
