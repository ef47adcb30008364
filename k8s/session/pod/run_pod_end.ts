import type { Api } from "../../api/api.ts";
import type { Pod } from "../../api/kubernetes_objects.ts";
import { lastLineOf } from "../../workloads/pod_status.ts";
import { RUN_CONTAINER } from "../objects/run_objects.ts";
import { objectPath, type SessionPlan } from "../objects/session_plan.ts";
import { resumedWatch } from "./resumed_watch.ts";

/** The end of a container is reported before the end of its Pod, which says why: wait this long for the latter. */
const REASON_WITHIN_MS = 5_000;

/** Why a run's Pod is over, and the program in it. */
export interface PodEnd {
  readonly kind: "out-of-memory" | "evicted" | "deleted" | "ended";
  /** In the cluster's words, if it has any. */
  readonly message: string;
  /** How long the processes of a Pod that is being deleted may still run, in milliseconds. */
  readonly graceMs?: number;
}

/** Waits until the Pod is over. @throws as {@linkcode resumedWatch} does */
export async function waitForPodEnd(api: Api, { namespace, name }: SessionPlan, signal: AbortSignal): Promise<PodEnd> {
  const late = Promise.withResolvers<PodEnd>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const watched = async () => {
    const query = { fieldSelector: `metadata.name=${name}` };
    for await (const { type, object } of resumedWatch<Pod>(api, objectPath("Pod", namespace), query, signal)) {
      const end = podEnd(object, type === "DELETED");
      if (end?.kind === "ended" && object.status?.phase === "Running") timer ??= setTimeout(late.resolve, REASON_WITHIN_MS, end);
      else if (end) return end;
    }
    return await late.promise;
  };
  try {
    return await Promise.race([watched(), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Why a Pod is over; undefined if it is not. */
export function podEnd({ metadata, status }: Pick<Pod, "metadata" | "status">, gone: boolean): PodEnd | undefined {
  const { phase, reason = "", message = "", containerStatuses = [] } = status ?? {};
  const ended = containerStatuses.find(({ name }) => name === RUN_CONTAINER)?.state?.terminated;
  if (ended?.reason === "OOMKilled") return { kind: "out-of-memory", message: "" };
  if (phase === "Failed" && reason !== "") return { kind: "evicted", message: `${reason}: ${message}` };
  if (gone) return { kind: "deleted", message: "" };
  if (metadata.deletionTimestamp) return { kind: "deleted", message: "", graceMs: 1000 * (metadata.deletionGracePeriodSeconds ?? 0) };
  if (ended) return { kind: "ended", message: `exit code ${ended.exitCode}${lastLineOf(ended)}` };
  return phase === "Failed" || phase === "Succeeded" ? { kind: "ended", message } : undefined;
}
