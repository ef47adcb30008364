/** Follows workloads until they are ready. */

import type { Api } from "../api/api.ts";
import { ApiError, mayPass } from "../api/api_error.ts";
import type { PlannedObject } from "../manifests/apply_plan.ts";
import { collectionPath } from "../manifests/discovery.ts";
import type { ClusterEvent, Pod, Workload } from "../api/kubernetes_objects.ts";
import { hasRollout, podReason, podSelector, type RolloutStatus, rolloutStatus } from "./rollout_status.ts";
import type { Query } from "../api/request_sender.ts";
import { sleep } from "../api/sleep.ts";

/** Is told how far rollouts are. */
export interface RolloutObserver {
  /** Called once for each state and each reason. */
  waits(object: PlannedObject, state: string): void;
  ready(object: PlannedObject): void;
}

const POLL_MS = 250;
/** Nothing is reported about workloads that are ready sooner. */
const QUIET_MS = 1_500;
/** How often the reasons of a workload are looked up: that lists its Pods. */
const REASONS_MS = 1_000;

/**
 * Waits until all workloads among these objects are ready.
 * @param withinMs in milliseconds; 0 waits forever
 * @returns those that are not ready in time, or never will be, with their last known states and reasons
 * @throws as {@linkcode Api.request} does
 */
export async function followRollouts(
  api: Api,
  objects: readonly PlannedObject[],
  observer: RolloutObserver,
  withinMs: number,
  signal: AbortSignal,
): Promise<{ object: PlannedObject; why: string }[]> {
  const until = withinMs === 0 ? Infinity : performance.now() + withinMs;
  const followed = objects.filter(({ resource: { group, kind } }) => hasRollout(group, kind));
  const found = await Promise.all(followed.map(async (object) => ({ object, why: await follow(api, object, observer, until, signal) })));
  return found.flatMap(({ object, why }) => why === undefined ? [] : [{ object, why }]);
}

/** @returns why it is not ready; undefined if it is */
async function follow(
  api: Api,
  object: PlannedObject,
  observer: RolloutObserver,
  until: number,
  signal: AbortSignal,
): Promise<string | undefined> {
  const quietUntil = performance.now() + QUIET_MS;
  let reasonsAt = quietUntil;
  const told = new Set<string>();
  let reasons: string[] = [];
  const tell = (text: string) => {
    if (told.has(text)) return;
    told.add(text);
    observer.waits(object, text);
  };
  while (true) {
    const status = await judge(api, object, signal);
    if (status?.done) {
      observer.ready(object);
      return undefined;
    }
    const now = performance.now();
    const isFinal = now > until || status?.failure !== undefined;
    if (status?.workload && (isFinal || now > reasonsAt)) {
      reasons = await podReasons(api, object, status.workload, signal);
      reasonsAt = now + REASONS_MS;
    }
    if (status && (isFinal || now > quietUntil)) [status.state, ...reasons].forEach(tell);
    if (isFinal) return [status?.failure ?? status?.state ?? "its state is unknown", ...reasons].join("; ");
    await sleep(POLL_MS, signal);
  }
}

/** How far it is; undefined if the cluster cannot be asked right now. */
async function judge(
  api: Api,
  { path, resource: { group, kind } }: PlannedObject,
  signal: AbortSignal,
): Promise<RolloutStatus & { workload?: Workload } | undefined> {
  try {
    const { body: workload } = await api.get<Workload>(path, { signal });
    return { ...rolloutStatus(group, kind, workload), workload };
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return { done: false, state: "it is gone", failure: "it was deleted meanwhile" };
    if (mayPass(error)) return undefined;
    throw error;
  }
}

/** Why its Pods do not become ready, or the last warning if it has none. Without the right to see them there is nothing to report. */
async function podReasons(
  api: Api,
  { namespace, resource: { kind } }: PlannedObject,
  workload: Workload,
  signal: AbortSignal,
): Promise<string[]> {
  const list = async <T>(plural: string, query: Query) =>
    (await api.list<T>(collectionPath({ group: "", version: "v1", plural }, namespace), { query, signal })).items;
  try {
    const labelSelector = podSelector(workload);
    const listed = labelSelector === undefined ? [] : await list<Pod>("pods", { labelSelector });
    const pods = kind === "Pod" ? [workload as Pod] : listed;
    const reasons = pods.map((pod) => [pod.metadata.name, podReason(pod)] as const).filter(([, reason]) => reason !== undefined);
    if (pods.length > 0) return reasons.map(([name, reason]) => `pod/${name}: ${reason}`);
    const fieldSelector = `involvedObject.uid=${workload.metadata.uid},type=Warning`;
    const last = (await list<ClusterEvent>("events", { fieldSelector })).at(-1);
    return last ? [`${last.reason}: ${last.message}`] : [];
  } catch (error) {
    if (error instanceof ApiError || mayPass(error)) return [];
    throw error;
  }
}
