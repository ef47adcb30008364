/**
 * Waits until a session's Pod is ready, and reports what it waits for meanwhile.
 *
 * @module
 */
import type { Api } from "../../api/api.ts";
import { mayPass } from "../../api/api_error.ts";
import type { ClusterEvent, Pod } from "../../api/kubernetes_objects.ts";
import type { Query } from "../../api/request_sender.ts";
import { sleep } from "../../api/sleep.ts";
import { eventWaitsFor, hasAddress, isReady, podWaitsFor, type WaitReason } from "../../workloads/pod_status.ts";
import { SESSION_LABEL, type SessionPlan } from "../objects/session_plan.ts";

/** No events are watched for a Pod that is ready sooner: a busy namespace has many. */
const QUIET_MS = 1_500;
/** The kubelet retries what failed, usually with success (a Secret that has not arrived yet): reported if the Pod still waits after this. */
const PASSING_MS = 3_000;
/** Between a watch that failed and the next one. */
const RETRY_MS = 500;

/** Is told what happens to the Pod. */
export interface PodObserver {
  /** Called with each new reason why the Pod is not ready. */
  readonly waitingFor: (reason: WaitReason) => void;
  /** Called when the Pod has an address, possibly more than once. */
  readonly addressed: () => void;
}

/**
 * Waits until the session's Pod is ready. The Service's endpoints follow. A watch that breaks is restarted.
 *
 * @throws {ApiError} if the API server refuses the watch; the signal's reason if it is aborted
 */
export async function waitForReadyPod(api: Api, plan: SessionPlan, observer: PodObserver, signal: AbortSignal): Promise<void> {
  const done = new AbortController();
  const tell = once(observer.waitingFor);
  const status: PodWait = { reason: undefined };
  const events = tellEvents(api, plan, tell, status, AbortSignal.any([signal, done.signal]));
  try {
    const path = `/api/v1/namespaces/${plan.namespace}/pods`;
    for await (const pod of watched<Pod>(api, path, { labelSelector: `${SESSION_LABEL}=${plan.name}` }, signal)) {
      if (hasAddress(pod)) observer.addressed();
      if (isReady(pod)) return;
      status.reason = podWaitsFor(pod);
      if (status.reason) tell(status.reason);
    }
  } finally {
    done.abort();
    await events;
  }
}

/** What the Pod waits for according to its own status right now. */
interface PodWait {
  reason: WaitReason | undefined;
}

/** The objects of a collection as they appear and change. A watch that breaks is restarted. */
async function* watched<T>(api: Api, path: string, query: Query, signal: AbortSignal): AsyncGenerator<T> {
  for (;; await sleep(RETRY_MS, signal)) {
    try {
      for await (const event of api.watch<T>(path, { query, signal })) {
        if (event.type === "ADDED" || event.type === "MODIFIED") yield event.object;
      }
    } catch (error) {
      signal.throwIfAborted();
      if (!mayPass(error)) throw error;
    }
  }
}

/** Reports events: a Pod that could not be created has no status. Without the right to watch events there is nothing to report. */
async function tellEvents(
  api: Api,
  plan: SessionPlan,
  tell: (reason: WaitReason) => void,
  status: PodWait,
  signal: AbortSignal,
): Promise<void> {
  // A mount that failed once and then succeeded is not the reason any more: told late, it hid that the image could not be pulled.
  const tellIfItLasts = async (reason: WaitReason) => {
    await sleep(PASSING_MS, signal);
    if (status.reason === undefined) tell(reason);
  };
  try {
    await sleep(QUIET_MS, signal);
    for await (const event of watched<ClusterEvent>(api, `/api/v1/namespaces/${plan.namespace}/events`, {}, signal)) {
      const reason = eventWaitsFor(event, plan.name);
      if (reason?.kind === "other") tellIfItLasts(reason).catch(() => {});
      else if (reason) tell(reason);
    }
  } catch {
    // The signal has ended the wait, or events may not be watched.
  }
}

/** Reports each reason once. A Pod's random name in a repeated message does not make it new, nor does the back-off after a failure. */
function once(waitingFor: (reason: WaitReason) => void): (reason: WaitReason) => void {
  const told = new Set<string>();
  return (reason) => {
    const key = reason.kind === "image"
      ? reason.kind
      : reason.kind === "crash"
      ? reason.message
      : `${reason.reason} ${reason.message.replace(/pods? "[^"]*"/g, "pod")}`;
    // The event of a pull arrives after its failure.
    if (told.has(key) || (reason.kind === "pulling" && told.has("image"))) return;
    told.add(key);
    waitingFor(reason);
  };
}
