import type { Api } from "./api.ts";
import { SESSION_LABEL, type SessionPlan } from "./session_objects.ts";

/** A Pod, as far as it is looked at. */
export interface PodObject {
  metadata: { name: string; deletionTimestamp?: string };
  status?: {
    conditions?: { type: string; status: string; reason?: string; message?: string }[];
    containerStatuses?: {
      state?: { waiting?: { reason?: string; message?: string }; terminated?: { reason?: string; exitCode: number } };
    }[];
  };
}

/**
 * Waits until the session's Pod is ready, which the Service's endpoints follow.
 * @param waitingFor told, once for each change, what the Pod waits for
 * @throws what the API says, and the signal's reason
 */
export async function waitForReadyPod(
  api: Api,
  plan: SessionPlan,
  waitingFor: (reason: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const path = `/api/v1/namespaces/${plan.namespace}/pods`;
  let told = "";
  while (!signal.aborted) {
    for await (const { object } of api.watch(path, { query: { labelSelector: `${SESSION_LABEL}=${plan.name}` }, signal })) {
      const pod = object as unknown as PodObject;
      if (isReady(pod)) return;
      const reason = whatItWaitsFor(pod);
      if (reason === undefined || reason === told) continue;
      told = reason;
      waitingFor(reason);
    }
  }
  signal.throwIfAborted();
}

function isReady(pod: PodObject): boolean {
  return !pod.metadata.deletionTimestamp &&
    (pod.status?.conditions ?? []).some(({ type, status }) => type === "Ready" && status === "True");
}

/** What keeps a Pod from running, in the cluster's own words; nothing where it is just starting. */
export function whatItWaitsFor(pod: PodObject): string | undefined {
  const unscheduled = pod.status?.conditions?.find(({ type, status }) => type === "PodScheduled" && status === "False");
  if (unscheduled) return `${unscheduled.reason ?? "not scheduled"}: ${unscheduled.message ?? ""}`;
  for (const { state } of pod.status?.containerStatuses ?? []) {
    const waiting = state?.waiting;
    if (waiting?.reason && waiting.reason !== "ContainerCreating") return `${waiting.reason}: ${waiting.message ?? ""}`;
    if (state?.terminated) {
      return `the server ended with exit code ${state.terminated.exitCode} (${state.terminated.reason ?? "no reason given"})`;
    }
  }
  return undefined;
}
