/**
 * What a Pod's status and the cluster's events say about why a Pod is not ready. Pure.
 *
 * @module
 */

/** A Pod, as far as it is looked at. */
export interface PodObject {
  metadata: { name: string; deletionTimestamp?: string };
  status?: {
    podIP?: string;
    conditions?: { type: string; status: string; reason?: string; message?: string }[];
    initContainerStatuses?: ContainerStatus[];
    containerStatuses?: ContainerStatus[];
  };
}

interface ContainerStatus {
  state?: { waiting?: { reason?: string; message?: string }; terminated?: TerminatedState };
  lastState?: { terminated?: TerminatedState };
}

interface TerminatedState {
  reason?: string;
  exitCode: number;
  /** The end of its log, where it failed: terminationMessagePolicy. */
  message?: string;
}

/** An event, as far as it is looked at. */
export interface EventObject {
  type?: string;
  reason?: string;
  message?: string;
  involvedObject?: { kind?: string; name?: string };
}

/** Why a Pod is not ready, in the cluster's own words. */
export interface WaitReason {
  /** What could be done about it depends on this. */
  readonly kind: "scheduling" | "pulling" | "image" | "crash" | "admission" | "other";
  readonly reason: string;
  readonly message: string;
}

/** Whether a Pod is ready and stays. */
export function isReady(pod: PodObject): boolean {
  return !pod.metadata.deletionTimestamp &&
    (pod.status?.conditions ?? []).some(({ type, status }) => type === "Ready" && status === "True");
}

/** Whether a Pod can be reached for all that the cluster knows: a Service leads to it a moment later. */
export function hasAddress({ metadata, status }: PodObject): boolean {
  return !metadata.deletionTimestamp && Boolean(status?.podIP);
}

/** What keeps a Pod from running; nothing where it is just starting. */
export function podWaitsFor(pod: PodObject): WaitReason | undefined {
  const unscheduled = pod.status?.conditions?.find(({ type, status }) => type === "PodScheduled" && status === "False");
  if (unscheduled) return { kind: "scheduling", reason: unscheduled.reason ?? "Unscheduled", message: unscheduled.message ?? "" };
  const { initContainerStatuses = [], containerStatuses = [] } = pod.status ?? {};
  const notDone = initContainerStatuses.filter(({ state }) => state?.terminated?.exitCode !== 0);
  for (const { state, lastState } of [...notDone, ...containerStatuses]) {
    const ended = state?.terminated ?? lastState?.terminated;
    if (ended) return { kind: "crash", reason: state?.waiting?.reason ?? "the server ended", message: describeEnd(ended) };
    const { reason = "", message = "" } = state?.waiting ?? {};
    if (isAboutImage(reason)) return { kind: "image", reason, message: message.trim() };
    if (reason !== "" && reason !== "ContainerCreating" && reason !== "PodInitializing") return { kind: "other", reason, message };
  }
  return undefined;
}

/** Warnings that the Pod's own status tells as well, or that are usual while it starts. */
const TOLD_ELSEWHERE = new Set(["Failed", "BackOff", "FailedScheduling", "Unhealthy"]);
/** What is no warning, and takes long. */
const SLOW = new Set(["Pulling", "TriggeredScaleUp"]);

/** What an event says about the wait for what the Deployment `name` makes; nothing where it is of others, or of no interest. */
export function eventWaitsFor(event: EventObject, name: string): WaitReason | undefined {
  const { type, reason = "", message = "", involvedObject: { name: about = "" } = {} } = event;
  // Its ReplicaSet and Pod have names that go on from its own, which is nobody else's.
  if (about !== name && !about.startsWith(`${name}-`)) return undefined;
  if (type === "Normal" ? !SLOW.has(reason) : TOLD_ELSEWHERE.has(reason)) return undefined;
  const kind = reason === "FailedCreate" ? "admission" : reason === "Pulling" ? "pulling" : "other";
  // Events that repeat are told as one, with these words before it.
  return { kind, reason, message: message.trim().replace(/^\(combined from similar events\): /, "") };
}

function isAboutImage(reason: string): boolean {
  return /^(ErrImage|ImagePull|InvalidImageName|ErrImageNeverPull|RegistryUnavailable)/.test(reason);
}

function describeEnd({ exitCode, reason, message = "" }: TerminatedState): string {
  const lines = message.trim().split("\n");
  const last = lines.at(-1) ?? "";
  return `it ended with exit code ${exitCode}${reason && reason !== "Error" ? ` (${reason})` : ""}${
    last ? `, and said last: ${last}` : ""
  }`;
}
