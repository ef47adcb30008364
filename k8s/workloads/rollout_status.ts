/** How far a workload's rollout is, judged as `kubectl rollout status` does, and why its Pods do not become ready. Pure. */

import type { DaemonSet, Deployment, Job, Pod, StatefulSet, Workload } from "../api/kubernetes_objects.ts";
import { podWaitsFor } from "./pod_status.ts";

/** How far a rollout is. */
export interface RolloutStatus {
  readonly done: boolean;
  /** What it is waiting for, such as `1 of 3 Pods are ready`. */
  readonly state: string;
  /** Why it will never finish. */
  readonly failure?: string;
}

/** The kinds that have a rollout, by group and kind. */
const JUDGES: Readonly<Record<string, (workload: never) => RolloutStatus>> = {
  "apps Deployment": deploymentStatus,
  "apps StatefulSet": statefulSetStatus,
  "apps DaemonSet": daemonSetStatus,
  "batch Job": jobStatus,
  " Pod": podStatus,
};

/** Whether a kind has a rollout that can be followed. */
export function hasRollout(group: string, kind: string): boolean {
  return JUDGES[`${group} ${kind}`] !== undefined;
}

/** How far a workload is whose kind {@linkcode hasRollout}. */
export function rolloutStatus(group: string, kind: string, workload: Workload): RolloutStatus {
  // Pods and Jobs do not change, and report no observedGeneration.
  const seen = (workload as Deployment).status?.observedGeneration ?? 0;
  if (group === "apps" && (workload.metadata.generation ?? 0) > seen) return waiting("its controller has not observed it yet");
  return JUDGES[`${group} ${kind}`]!(workload as never);
}

function waiting(state: string): RolloutStatus {
  return { done: false, state };
}

const DONE: RolloutStatus = { done: true, state: "ready" };

function deploymentStatus({ spec, status }: Deployment): RolloutStatus {
  const { replicas = 1 } = spec ?? {};
  const { replicas: all = 0, updatedReplicas: updated = 0, availableReplicas: available = 0, conditions = [] } = status ?? {};
  const late = conditions.find(({ type, reason }) => type === "Progressing" && reason === "ProgressDeadlineExceeded");
  const refused = conditions.find(({ type, status }) => type === "ReplicaFailure" && status === "True");
  const because = refused ? `: ${refused.message ?? refused.reason}` : "";
  if (late) return { done: false, state: "its progress deadline is exceeded", failure: `its progress deadline is exceeded${because}` };
  if (updated < replicas) return waiting(`${updated} of ${replicas} new Pods exist${because}`);
  if (all > updated) return waiting(`${all - updated} old Pods still exist`);
  if (available < updated) return waiting(`${available} of ${updated} Pods are ready`);
  return DONE;
}

function statefulSetStatus({ spec, status }: StatefulSet): RolloutStatus {
  const { replicas = 1, updateStrategy } = spec ?? {};
  const { readyReplicas: ready = 0, updatedReplicas: updated = 0, currentRevision, updateRevision } = status ?? {};
  if (ready < replicas) return waiting(`${ready} of ${replicas} Pods are ready`);
  if (updateStrategy?.type === "OnDelete") return DONE;
  const wanted = replicas - (updateStrategy?.rollingUpdate?.partition ?? 0);
  if (updateRevision !== currentRevision && updated < wanted) return waiting(`${updated} of ${wanted} Pods are new`);
  return DONE;
}

function daemonSetStatus({ spec, status }: DaemonSet): RolloutStatus {
  const { desiredNumberScheduled: wanted = 0, updatedNumberScheduled: updated = 0, numberAvailable: available = 0 } = status ?? {};
  if (spec?.updateStrategy?.type !== "OnDelete" && updated < wanted) return waiting(`${updated} of ${wanted} new Pods exist`);
  return available < wanted ? waiting(`${available} of ${wanted} Pods are ready`) : DONE;
}

/** A Job is ready once it has succeeded. */
function jobStatus({ spec, status }: Job): RolloutStatus {
  const ended = status?.conditions?.find(({ type, status }) => (type === "Complete" || type === "Failed") && status === "True");
  if (ended?.type === "Failed") return { done: false, state: "it has failed", failure: ended.message ?? "it has failed" };
  if (ended || spec?.suspend) return DONE;
  return waiting(`${status?.succeeded ?? 0} of ${spec?.completions ?? 1} Pods have succeeded`);
}

function podStatus({ status }: Pod): RolloutStatus {
  if (status?.phase === "Failed") return { done: false, state: "it has failed", failure: status.message ?? "it has failed" };
  if (status?.phase === "Succeeded") return DONE;
  const ready = status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True");
  return ready ? DONE : waiting("it is not ready");
}

/** The label selector of a workload's Pods, as a query takes it; undefined if it has no matchLabels. */
export function podSelector(workload: Workload): string | undefined {
  const labels = Object.entries((workload as Deployment).spec?.selector?.matchLabels ?? {});
  return labels.length === 0 ? undefined : labels.map(([key, value]) => `${key}=${value}`).join(",");
}

/** Why a Pod does not become ready, in the cluster's words; undefined if it is just starting or being deleted. */
export function podReason(pod: Pick<Pod, "metadata" | "status">): string | undefined {
  const found = pod.metadata.deletionTimestamp ? undefined : podWaitsFor(pod);
  return found && [found.reason, found.message].filter((text) => text !== "").join(": ");
}
