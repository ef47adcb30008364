/**
 * Follows workloads until they are ready.
 *
 * @module
 */

import type { Api } from "../api/api.ts";
import { ApiError } from "../api/api_error.ts";
import type { PlannedObject } from "../manifests/apply_plan.ts";
import { collectionPath } from "../manifests/discovery.ts";
import { ConnectionError } from "../api/connection_error.ts";
import type { PodObject } from "./pod_status.ts";
import { hasRollout, podReason, podSelector, type RolloutStatus, rolloutStatus } from "./rollout_status.ts";
import { sleep } from "../api/sleep.ts";

/** Who hears how far rollouts are. */
export interface RolloutObserver {
  /** Each state and each reason once. */
  waits(object: PlannedObject, state: string): void;
  ready(object: PlannedObject): void;
}

/** A workload that did not get ready. */
export interface UnreadyObject {
  readonly object: PlannedObject;
  /** The last that was known. */
  readonly why: string;
}

const POLL_MS = 250;
/** What is ready sooner needs no reasons. */
const QUIET_MS = 1_500;

/**
 * Waits until all workloads among these objects are ready.
 *
 * @param withinMs 0 for ever
 * @returns those that did not get ready in time, or never will
 * @throws as {@linkcode Api.request} does
 */
export async function followRollouts(
  api: Api,
  objects: readonly PlannedObject[],
  observer: RolloutObserver,
  withinMs: number,
  signal: AbortSignal,
): Promise<UnreadyObject[]> {
  const until = withinMs === 0 ? Infinity : performance.now() + withinMs;
  const followed = objects.filter(({ resource: { group, kind } }) => hasRollout(group, kind));
  const found = await Promise.all(followed.map((object) => follow(api, object, observer, until, signal)));
  return found.filter((unready) => unready !== undefined);
}

async function follow(
  api: Api,
  object: PlannedObject,
  observer: RolloutObserver,
  until: number,
  signal: AbortSignal,
): Promise<UnreadyObject | undefined> {
  const { resource: { group, kind }, path } = object;
  const quietUntil = performance.now() + QUIET_MS;
  const told = new Set<string>();
  let reasons: string[] = [];
  const tell = (text: string) => {
    if (told.has(text)) return;
    told.add(text);
    observer.waits(object, text);
  };
  while (true) {
    const status = await judge(api, path, group, kind, signal);
    if (status?.done) {
      observer.ready(object);
      return undefined;
    }
    const late = performance.now() > until;
    if (late || status?.failure !== undefined || performance.now() > quietUntil) {
      reasons = status?.workload ? await podReasons(api, object, status.workload, signal) : reasons;
      if (status) tell(status.state);
      for (const reason of reasons) tell(reason);
    }
    const why = [status?.failure ?? status?.state ?? "it cannot be looked at", ...reasons].join("; ");
    if (late || status?.failure !== undefined) return { object, why };
    await sleep(POLL_MS, signal);
  }
}

/** How far it is; undefined where the cluster cannot be asked just now. */
async function judge(
  api: Api,
  path: string,
  group: string,
  kind: string,
  signal: AbortSignal,
): Promise<RolloutStatus & { workload?: Record<string, unknown> } | undefined> {
  try {
    const workload = (await api.get(path, { signal })).body as Record<string, unknown>;
    return { ...rolloutStatus(group, kind, workload), workload };
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return { done: false, state: "it is gone", failure: "it was deleted meanwhile" };
    if (mayPass(error, signal)) return undefined;
    throw error;
  }
}

/** Why its Pods do not get ready. Without the right to see them there is nothing to tell. */
async function podReasons(api: Api, object: PlannedObject, workload: Record<string, unknown>, signal: AbortSignal): Promise<string[]> {
  try {
    const pods = object.resource.kind === "Pod" ? [workload as unknown as PodObject] : await podsOf(api, object, workload, signal);
    const reasons = pods.map((pod) => [pod.metadata.name, podReason(pod)] as const).filter(([, reason]) => reason !== undefined);
    if (reasons.length > 0) return reasons.map(([name, reason]) => `pod/${name}: ${reason}`);
    return pods.length > 0 ? [] : await warningsOf(api, object, workload, signal);
  } catch (error) {
    if (error instanceof ApiError || mayPass(error, signal)) return [];
    throw error;
  }
}

async function podsOf(
  api: Api,
  { namespace, resource }: PlannedObject,
  workload: Record<string, unknown>,
  signal: AbortSignal,
): Promise<PodObject[]> {
  const labelSelector = podSelector(workload);
  if (labelSelector === undefined) return [];
  const path = collectionPath({ ...resource, group: "", version: "v1", plural: "pods" }, namespace);
  return (await api.list(path, { query: { labelSelector }, signal })).items as unknown as PodObject[];
}

/** What the cluster warns of where no Pod could be made. */
async function warningsOf(
  api: Api,
  { namespace, resource }: PlannedObject,
  workload: Record<string, unknown>,
  signal: AbortSignal,
): Promise<string[]> {
  const { uid } = workload.metadata as { uid: string };
  const path = collectionPath({ ...resource, group: "", version: "v1", plural: "events" }, namespace);
  const { items } = await api.list(path, { query: { fieldSelector: `involvedObject.uid=${uid},type=Warning` }, signal });
  const last = items.at(-1) as { reason?: string; message?: string } | undefined;
  return last ? [`${last.reason}: ${last.message}`] : [];
}

function mayPass(error: unknown, signal: AbortSignal): boolean {
  if (signal.aborted) return false;
  return error instanceof ConnectionError || (error instanceof ApiError && (error.status >= 500 || error.status === 429));
}
