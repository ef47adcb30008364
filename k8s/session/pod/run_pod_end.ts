/**
 * Waits for the end of a run's Pod, and says why it ended.
 *
 * @module
 */
import type { Api } from "../../api/api.ts";
import { ApiError, mayPass } from "../../api/api_error.ts";
import type { Pod } from "../../api/kubernetes_objects.ts";
import { sleep } from "../../api/sleep.ts";
import { lastLineOf } from "../../workloads/pod_status.ts";
import { RUN_CONTAINER } from "../objects/run_objects.ts";
import type { SessionPlan } from "../objects/session_plan.ts";

/** Between a watch that failed and the next one. */
const RETRY_MS = 500;
/** Additional wait after a watch that was refused. */
const REFUSED_MS = 2_000;
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

/** Waits until the Pod is over. @throws {ApiError} if the API server refuses the watch; the signal's reason if it is aborted */
export async function waitForPodEnd(api: Api, plan: SessionPlan, signal: AbortSignal): Promise<PodEnd> {
  const late = Promise.withResolvers<PodEnd>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const ended = (end: PodEnd) => {
    timer ??= setTimeout(() => late.resolve(end), REASON_WITHIN_MS);
  };
  try {
    return await Promise.race([watchPodEnd(api, plan, ended, signal), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** @param ended called when the program's container has ended and its Pod has not */
async function watchPodEnd(api: Api, plan: SessionPlan, ended: (end: PodEnd) => void, signal: AbortSignal): Promise<PodEnd> {
  const path = `/api/v1/namespaces/${plan.namespace}/pods`;
  const fieldSelector = `metadata.name=${plan.name}`;
  let begun = false;
  // The next watch resumes here: a Pod that disappears between two watches would be in neither. Bookmarks keep the version from expiring.
  let resourceVersion: string | undefined;
  for (;; await sleep(RETRY_MS, signal)) {
    try {
      const query = { fieldSelector, allowWatchBookmarks: true, resourceVersion };
      for await (const event of api.watch<Pod>(path, { query, signal })) {
        resourceVersion = event.type === "ERROR" ? undefined : event.object.metadata.resourceVersion;
        if (event.type === "ERROR" || event.type === "BOOKMARK") continue;
        begun = true;
        const end = podEnd(event.object, event.type === "DELETED");
        if (end?.kind === "ended" && event.object.status?.phase === "Running") ended(end);
        else if (end) return end;
      }
    } catch (error) {
      signal.throwIfAborted();
      const status = error instanceof ApiError ? error.status : undefined;
      // 410: that version has expired.
      if (status === 410) resourceVersion = undefined;
      // 403: an API server that starts refuses for a moment. If the right is gone for good, the session's own renewal reports it.
      else if (status === 403 && begun) await sleep(REFUSED_MS, signal);
      else if (!mayPass(error)) throw error;
    }
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
