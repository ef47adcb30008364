/**
 * How far a workload's rollout is, as `kubectl rollout status` judges it, and why its Pods do not get ready. Pure.
 *
 * @module
 */

import { type PodObject, podWaitsFor } from "./pod_status.ts";

/** How far a rollout is. */
export interface RolloutStatus {
  readonly done: boolean;
  /** What is waited for, such as `1 of 3 are ready`. */
  readonly state: string;
  /** Why it will not come to its end. */
  readonly failure?: string;
}

/** A workload, as far as it is looked at. */
interface Workload {
  readonly metadata?: { readonly generation?: number };
  readonly spec?: {
    readonly replicas?: number;
    readonly completions?: number;
    readonly suspend?: boolean;
    readonly updateStrategy?: { readonly type?: string; readonly rollingUpdate?: { readonly partition?: number } };
  };
  readonly status?: {
    readonly observedGeneration?: number;
    readonly phase?: string;
    readonly message?: string;
    readonly replicas?: number;
    readonly updatedReplicas?: number;
    readonly availableReplicas?: number;
    readonly readyReplicas?: number;
    readonly currentRevision?: string;
    readonly updateRevision?: string;
    readonly desiredNumberScheduled?: number;
    readonly updatedNumberScheduled?: number;
    readonly numberAvailable?: number;
    readonly succeeded?: number;
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly reason?: string;
      readonly message?: string;
    }[];
  };
}

/** The kinds that have a rollout, by group and kind. */
const JUDGES: Readonly<Record<string, (workload: Workload) => RolloutStatus>> = {
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

/** How far a workload of a kind with a rollout is. */
export function rolloutStatus(group: string, kind: string, workload: Record<string, unknown>): RolloutStatus {
  const { metadata, status } = workload as Workload;
  // Pods and Jobs are not changed, and do not tell.
  if (group === "apps" && (metadata?.generation ?? 0) > (status?.observedGeneration ?? 0)) {
    return waiting("its controller has not seen it yet");
  }
  return JUDGES[`${group} ${kind}`]!(workload as Workload);
}

function waiting(state: string): RolloutStatus {
  return { done: false, state };
}

const DONE: RolloutStatus = { done: true, state: "ready" };

function deploymentStatus({ spec, status = {} }: Workload): RolloutStatus {
  const { replicas = 1 } = spec ?? {};
  const { replicas: all = 0, updatedReplicas: updated = 0, availableReplicas: available = 0, conditions = [] } = status;
  const late = conditions.find(({ type, reason }) => type === "Progressing" && reason === "ProgressDeadlineExceeded");
  const refused = conditions.find(({ type, status }) => type === "ReplicaFailure" && status === "True");
  const because = refused ? `: ${refused.message ?? refused.reason}` : "";
  if (late) return { done: false, state: "its progress deadline is exceeded", failure: `its progress deadline is exceeded${because}` };
  if (updated < replicas) return waiting(`${updated} of ${replicas} new Pods are there${because}`);
  if (all > updated) return waiting(`${all - updated} old Pods are still there`);
  if (available < updated) return waiting(`${available} of ${updated} Pods are ready`);
  return DONE;
}

function statefulSetStatus({ spec, status = {} }: Workload): RolloutStatus {
  const { replicas = 1, updateStrategy } = spec ?? {};
  const { readyReplicas: ready = 0, updatedReplicas: updated = 0, currentRevision, updateRevision } = status;
  if (ready < replicas) return waiting(`${ready} of ${replicas} Pods are ready`);
  if (updateStrategy?.type === "OnDelete") return DONE;
  const wanted = replicas - (updateStrategy?.rollingUpdate?.partition ?? 0);
  if (updateRevision !== currentRevision && updated < wanted) return waiting(`${updated} of ${wanted} Pods are new`);
  return DONE;
}

function daemonSetStatus({ spec, status = {} }: Workload): RolloutStatus {
  const { desiredNumberScheduled: wanted = 0, updatedNumberScheduled: updated = 0, numberAvailable: available = 0 } = status;
  if (spec?.updateStrategy?.type !== "OnDelete" && updated < wanted) return waiting(`${updated} of ${wanted} new Pods are there`);
  return available < wanted ? waiting(`${available} of ${wanted} Pods are ready`) : DONE;
}

/** A Job is ready when it has ended well. */
function jobStatus({ spec, status = {} }: Workload): RolloutStatus {
  const ended = status.conditions?.find(({ type, status }) => (type === "Complete" || type === "Failed") && status === "True");
  if (ended?.type === "Failed") return { done: false, state: "it has failed", failure: ended.message ?? "it has failed" };
  if (ended || spec?.suspend) return DONE;
  return waiting(`${status.succeeded ?? 0} of ${spec?.completions ?? 1} Pods have ended well`);
}

function podStatus({ status = {} }: Workload): RolloutStatus {
  if (status.phase === "Failed") return { done: false, state: "it has failed", failure: status.message ?? "it has failed" };
  if (status.phase === "Succeeded") return DONE;
  const ready = status.conditions?.some(({ type, status }) => type === "Ready" && status === "True");
  return ready ? DONE : waiting("it is not ready");
}

/** The Pods' labels that a workload selects by, as a query has it; undefined where it has no simple ones. */
export function podSelector(workload: Record<string, unknown>): string | undefined {
  const { spec } = workload as { spec?: { selector?: { matchLabels?: Record<string, string> } } };
  const labels = Object.entries(spec?.selector?.matchLabels ?? {});
  return labels.length === 0 ? undefined : labels.map(([key, value]) => `${key}=${value}`).join(",");
}

/** Why a Pod does not get ready, in the cluster's words; undefined where it is just starting or going. */
export function podReason(pod: PodObject): string | undefined {
  if (pod.metadata.deletionTimestamp) return undefined;
  const { initContainerStatuses = [] } = (pod.status ?? {}) as {
    initContainerStatuses?: NonNullable<PodObject["status"]>["containerStatuses"];
  };
  // One that ended well is done; the Pod goes on with the next.
  const inits = initContainerStatuses.filter(({ state }) => state?.terminated?.exitCode !== 0 && (state?.waiting || state?.terminated));
  const withInits = { ...pod, status: { ...pod.status, containerStatuses: [...inits, ...pod.status?.containerStatuses ?? []] } };
  const found = podWaitsFor(withInits);
  if (!found) return undefined;
  const reason = found.reason === "the server ended" ? "" : found.reason;
  return [reason, found.message].filter((text) => text !== "").join(": ");
}
