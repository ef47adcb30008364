import { type Api, METADATA_ONLY } from "../../api/api.ts";
import { onStatus } from "../../api/api_error.ts";
import type { Live } from "../../api/kubernetes_objects.ts";
import { sleep } from "../../api/sleep.ts";
import { controlServiceName, objectPath } from "../objects/session_plan.ts";

const GONE_POLL_MS = 50;

/** Identifies a session and its objects: by its own name and its Job's uid, and by the user's Service. */
export interface RemovedSession {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly service: string;
}

/**
 * Deletes an object with everything that it owns, if it still is the one that was seen.
 * @param seen the object's uid, and its version if nobody may have changed it since
 * @returns false if another object has its name, or it has changed; true if it is gone or being removed
 * @throws {ApiError} for any other refusal, {ConnectionError} if there is no answer
 */
export async function deleteIfSame(
  api: Api,
  path: string,
  { uid, resourceVersion }: { readonly uid: string; readonly resourceVersion?: string | undefined },
  signal?: AbortSignal,
): Promise<boolean> {
  return await api.delete(path, { uid, resourceVersion, signal }).then(() => true).catch(onStatus([404], true)).catch(
    onStatus([409], false),
  );
}

/** Deletes a session's Job, so that the cluster removes everything it owns. No error if it is already gone. @throws as {@linkcode deleteIfSame} does */
export async function removeSession(api: Api, session: RemovedSession, signal?: AbortSignal): Promise<void> {
  await deleteIfSame(api, objectPath("Job", session.namespace, session.name), session, signal);
}

/** Waits until everything that the session owned is gone or marked for removal. @returns whether that happened within `ms` and before the signal */
export async function sessionGone(api: Api, session: RemovedSession, ms: number, signal?: AbortSignal): Promise<boolean> {
  const { namespace, service, name, uid } = session;
  const services = [service, controlServiceName(service)].map((service) => objectPath("Service", namespace, service));
  let left = [...services, ...(["Secret", "ConfigMap", "Deployment", "Pod"] as const).map((kind) => objectPath(kind, namespace, name))];
  const until = performance.now() + ms;
  for (;;) {
    const there = await Promise.all(left.map((path) => isOwned(api, path, uid)));
    left = left.filter((_, index) => there[index]);
    if (left.length === 0 || performance.now() >= until || signal?.aborted) return left.length === 0;
    await sleep(GONE_POLL_MS);
  }
}

/** Whether this owner has an object there that is not marked for removal. One that cannot be seen counts as gone. */
async function isOwned(api: Api, path: string, owner: string): Promise<boolean> {
  const found = await api.get<Live>(path, { accept: METADATA_ONLY }).catch(() => undefined);
  const { deletionTimestamp, ownerReferences = [] } = found?.body.metadata ?? {};
  return !deletionTimestamp && ownerReferences.some(({ uid }) => uid === owner);
}
