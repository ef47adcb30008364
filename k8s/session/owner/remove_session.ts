import type { Api } from "../../api/api.ts";
import { ApiError } from "../../api/api_error.ts";
import { controlServiceName } from "../objects/session_objects.ts";
import type { ObjectMetadata } from "./session_owner.ts";

const GONE_POLL_MS = 50;

/** What it takes to find a session's objects. */
export interface RemovedSession {
  readonly namespace: string;
  /** The session's name, and its Job's uid. */
  readonly name: string;
  readonly uid: string;
  /** The user's Service. */
  readonly service: string;
}

/** Has the cluster remove a session and all that it owns. One that is gone already is no error. @throws what the API says */
export async function removeSession(api: Api, { namespace, name, uid }: RemovedSession, signal?: AbortSignal): Promise<void> {
  try {
    // Without a policy, a Job that is deleted orphans all that it owns.
    await api.delete(`/apis/batch/v1/namespaces/${namespace}/jobs/${name}`, {
      propagationPolicy: "Background",
      uid,
      ...(signal ? { signal } : {}),
    });
  } catch (error) {
    // It has gone by itself, or another has its name by now.
    if (!(error instanceof ApiError) || (error.status !== 404 && error.status !== 409)) throw error;
  }
}

/** Waits until all that the session owned is gone or marked for removal. @returns whether it was so within `ms`, or when aborted */
export async function sessionGone(api: Api, session: RemovedSession, ms: number, signal?: AbortSignal): Promise<boolean> {
  const { namespace, service, name, uid } = session;
  const core = `/api/v1/namespaces/${namespace}`;
  let left = [
    `${core}/services/${service}`,
    `${core}/services/${controlServiceName(service)}`,
    `${core}/secrets/${name}`,
    `/apis/apps/v1/namespaces/${namespace}/deployments/${name}`,
    `${core}/pods/${name}`,
  ];
  const until = performance.now() + ms;
  for (;;) {
    const there = await Promise.all(left.map((path) => isOwned(api, path, uid)));
    left = left.filter((_, index) => there[index]);
    if (left.length === 0 || performance.now() >= until || signal?.aborted) return left.length === 0;
    await new Promise((resolve) => setTimeout(resolve, GONE_POLL_MS));
  }
}

/** Whether an object of this owner is there that nobody has marked for removal; where that cannot be seen, it counts as gone. */
async function isOwned(api: Api, path: string, owner: string): Promise<boolean> {
  try {
    const { metadata } = (await api.get(path)).body as { metadata: ObjectMetadata };
    return !metadata.deletionTimestamp && (metadata.ownerReferences ?? []).some(({ uid }) => uid === owner);
  } catch {
    return false;
  }
}
