/** What a Pod's status and the cluster's events say about why a Pod is not ready. Pure. */

import { milliOf } from "../api/quantity.ts";
import type { ClusterEvent, ContainerState, Pod } from "../api/kubernetes_objects.ts";

/** Why a Pod is not ready, in the cluster's own words. */
export interface WaitReason {
  /** What the user can do about it depends on this. */
  readonly kind: "scheduling" | "pulling" | "image" | "crash" | "admission" | "other";
  /** Whether waiting does not help. */
  readonly final?: boolean;
  /** Empty if a container ended and the cluster gives no reason. */
  readonly reason: string;
  readonly message: string;
  /** The image, for the kind `image`. */
  readonly image?: string;
}

/** Whether a Pod is ready and not being deleted. */
export function isReady({ metadata, status }: Pick<Pod, "metadata" | "status">): boolean {
  return !metadata.deletionTimestamp && passesProbe(status);
}

/** Whether a Pod's containers pass their readiness probes, also while it is being deleted. */
export function passesProbe(status: Pod["status"]): boolean {
  return (status?.conditions ?? []).some(({ type, status }) => type === "Ready" && status === "True");
}

/** Whether a Pod has an address and is not being deleted. Its Services route to it a moment later. */
export function hasAddress({ metadata, status }: Pick<Pod, "metadata" | "status">): boolean {
  return !metadata.deletionTimestamp && Boolean(status?.podIP);
}

/** What keeps a Pod from running; undefined if it is just starting. */
export function podWaitsFor({ status }: Pick<Pod, "status">): WaitReason | undefined {
  const unscheduled = status?.conditions?.find(({ type, status }) => type === "PodScheduled" && status === "False");
  if (unscheduled) return { kind: "scheduling", reason: unscheduled.reason ?? "Unscheduled", message: unscheduled.message ?? "" };
  const { initContainerStatuses = [], containerStatuses = [] } = status ?? {};
  // An init container that succeeded is done; the Pod goes on with the next one.
  const notDone = initContainerStatuses.filter(({ state }) => state?.terminated?.exitCode !== 0);
  for (const { image, state, lastState } of [...notDone, ...containerStatuses]) {
    const ended = state?.terminated ?? lastState?.terminated;
    if (ended) return { kind: "crash", reason: state?.waiting?.reason ?? "", message: describeEnd(ended) };
    const { reason = "", message = "" } = state?.waiting ?? {};
    if (/^(ErrImage|ImagePull|InvalidImageName|RegistryUnavailable)/.test(reason)) {
      return { kind: "image", reason, message: message.trim(), image };
    }
    if (reason !== "" && reason !== "ContainerCreating" && reason !== "PodInitializing") return { kind: "other", reason, message };
  }
  return undefined;
}

/** Warnings that the Pod's status reports as well, or that are normal while it starts. */
const REPORTED_ELSEWHERE = new Set(["Failed", "BackOff", "FailedScheduling", "Unhealthy"]);
/** Normal events that announce something slow. */
const SLOW = new Set(["Pulling", "TriggeredScaleUp"]);

/** What an event says about the wait for the Pod of the Deployment `name`; undefined if it concerns something else or is of no interest. */
export function eventWaitsFor(event: ClusterEvent, name: string): WaitReason | undefined {
  const { type, reason = "", message = "", involvedObject: { name: about = "" } } = event;
  // The names of its ReplicaSet and Pod start with its own name, which is unique.
  if (about !== name && !about.startsWith(`${name}-`)) return undefined;
  if (type === "Normal" ? !SLOW.has(reason) : REPORTED_ELSEWHERE.has(reason)) return undefined;
  const kind = reason === "FailedCreate" ? "admission" : reason === "Pulling" ? "pulling" : "other";
  // The API server merges events that repeat and puts these words in front.
  const said = message.trim().replace(/^\(combined from similar events\): /, "");
  return { kind, reason, message: said, ...(kind === "admission" && isFinal(said) ? { final: true } : {}) };
}

/** Whether the refusal of a Pod stays: not if a quota may get room or its status, a webhook or the API server may start, or a new namespace may get its ServiceAccount. */
function isFinal(message: string): boolean {
  const [, requested, limited] = /exceeded quota: .*, requested: (.*), used: .*, limited: (.*)$/s.exec(message) ?? [];
  if (requested === undefined || limited === undefined) {
    return /forbidden: |is invalid: |denied the request/.test(message) &&
      !/looking up service account|failed calling webhook|status unknown for quota|not yet ready to handle request/.test(message);
  }
  const most = new Map(limited.split(",").map((part) => part.split("=") as [string, string]));
  return requested.split(",").map((part) => part.split("=")).some(([name = "", amount = ""]) =>
    milliOf(amount) > milliOf(most.get(name) ?? "")
  );
}

type Ended = NonNullable<ContainerState["terminated"]>;

function describeEnd(ended: Ended): string {
  const { exitCode, reason } = ended;
  return `exited with code ${exitCode}${reason && reason !== "Error" ? ` (${reason})` : ""}${lastLineOf(ended)}`;
}

/** What a container wrote last, to append to how it ended: its message is the end of its log (`FallbackToLogsOnError`). Empty if it wrote nothing. */
export function lastLineOf({ message = "" }: Ended): string {
  const last = message.trim().split("\n").at(-1);
  return last ? `; its last line was: ${last}` : "";
}
