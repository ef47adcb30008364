import type { Api } from "../../api/api.ts";
import type { ClusterEvent, Pod } from "../../api/kubernetes_objects.ts";
import { sleep } from "../../api/sleep.ts";
import { eventWaitsFor, hasAddress, isReady, podWaitsFor, type WaitReason } from "../../workloads/pod_status.ts";
import { objectPath, SESSION_LABEL, type SessionPlan } from "../objects/session_plan.ts";
import { resumedWatch } from "./resumed_watch.ts";

/** No events are watched for a Pod that is ready sooner: a busy namespace has many. */
const QUIET_MS = 1_500;
/**
 * What failed is reported if the Pod still waits after this time. The kubelet tries again, mostly with success: a Secret that has not arrived
 * yet takes 4 s on a busy node.
 */
const PASSING_MS = 8_000;

/** Is told what happens to the Pod. */
export interface PodObserver {
  /** Called with each new reason why the Pod is not ready. */
  readonly waitingFor: (reason: WaitReason) => void;
  /** Called when the Pod has an address, possibly more than once. */
  readonly addressed: () => void;
}

/** Waits until the session's Pod is ready. The Service's endpoints follow. @throws as {@linkcode resumedWatch} does */
export async function waitForReadyPod(api: Api, plan: SessionPlan, observer: PodObserver, signal: AbortSignal): Promise<void> {
  const done = new AbortController();
  const tell = once(observer.waitingFor);
  /** What the Pod waits for according to its own status right now. */
  let reason: WaitReason | undefined;
  const events = tellEvents(api, plan, tell, () => reason !== undefined, AbortSignal.any([signal, done.signal]));
  try {
    const query = { labelSelector: `${SESSION_LABEL}=${plan.name}` };
    for await (const { type, object: pod } of resumedWatch<Pod>(api, objectPath("Pod", plan.namespace), query, signal)) {
      if (type === "DELETED") continue;
      if (hasAddress(pod)) observer.addressed();
      if (isReady(pod)) return;
      reason = podWaitsFor(pod);
      if (reason) tell(reason);
    }
  } finally {
    done.abort();
    await events;
  }
}

/** Reports events: a Pod that could not be created has no status. Without the right to watch events there is nothing to report. */
async function tellEvents(
  api: Api,
  plan: SessionPlan,
  tell: (reason: WaitReason) => void,
  knowsReason: () => boolean,
  signal: AbortSignal,
): Promise<void> {
  // A mount that failed once and then succeeded is not the reason any more: told late, it hid that the image could not be pulled.
  const tellIfItLasts = async (reason: WaitReason) => {
    await sleep(PASSING_MS, signal);
    if (!knowsReason()) tell(reason);
  };
  try {
    await sleep(QUIET_MS, signal);
    for await (const { object } of resumedWatch<ClusterEvent>(api, `/api/v1/namespaces/${plan.namespace}/events`, {}, signal)) {
      const reason = eventWaitsFor(object, plan.name);
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
