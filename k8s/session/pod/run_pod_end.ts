import type { Api } from "../../api/api.ts";
import { ApiError } from "../../api/api_error.ts";
import { ConnectionError } from "../../api/connection_error.ts";
import { RUN_CONTAINER } from "../objects/run_objects.ts";
import type { SessionPlan } from "../objects/session_objects.ts";

/** Between a watch that failed and the next. */
const RETRY_MS = 500;
/** And more after one that was refused. */
const REFUSED_MS = 2_000;
/** A container that has ended is told before its Pod's end, which says why it had to: so long that is waited for. */
const REASON_WITHIN_MS = 5_000;

/** A Pod, as far as it is looked at. */
interface EndedPod {
  readonly metadata: {
    readonly name: string;
    readonly resourceVersion?: string;
    readonly deletionTimestamp?: string;
    readonly deletionGracePeriodSeconds?: number;
  };
  readonly status?: {
    readonly phase?: string;
    readonly reason?: string;
    readonly message?: string;
    readonly containerStatuses?: readonly {
      readonly name: string;
      readonly state?: { readonly terminated?: { readonly reason?: string; readonly exitCode: number; readonly message?: string } };
    }[];
  };
}

/** Why the Pod of a run is over, with the program in it. */
export interface PodEnd {
  readonly kind: "out-of-memory" | "evicted" | "deleted" | "ended";
  /** In the cluster's words, where it has any. */
  readonly message: string;
  /** So long at most, in milliseconds, what runs in it may go on: of a Pod that is being deleted. */
  readonly graceMs?: number;
}

/** Waits until the Pod is over. @throws what the API says where it says no, and the signal's reason */
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

/** @param ended told where the program's container has ended and its Pod has not */
async function watchPodEnd(api: Api, plan: SessionPlan, ended: (end: PodEnd) => void, signal: AbortSignal): Promise<PodEnd> {
  const path = `/api/v1/namespaces/${plan.namespace}/pods`;
  const fieldSelector = `metadata.name=${plan.name}`;
  let begun = false;
  // Where the next watch goes on: a Pod that goes between two is in neither. Bookmarks keep it from growing too old.
  let resourceVersion: string | undefined;
  for (;;) {
    try {
      const query = { fieldSelector, allowWatchBookmarks: true, resourceVersion };
      for await (const { type, object } of api.watch(path, { query, signal })) {
        const pod = object as unknown as EndedPod;
        resourceVersion = type === "ERROR" ? undefined : pod.metadata.resourceVersion;
        if (type !== "ADDED" && type !== "MODIFIED" && type !== "DELETED") continue;
        begun = true;
        const end = podEnd(pod, type === "DELETED");
        if (end?.kind === "ended" && pod.status?.phase === "Running") ended(end);
        else if (end) return end;
      }
    } catch (error) {
      signal.throwIfAborted();
      const status = error instanceof ApiError ? error.status : undefined;
      if (status === 410) resourceVersion = undefined;
      // An API server that starts refuses for a moment; where the right is gone for good, the session's own renewal tells.
      const passes = error instanceof ConnectionError || (status !== undefined && status >= 500) || status === 429 || status === 410 ||
        (begun && status === 403);
      if (!passes) throw error;
      if (status === 403) await pause(REFUSED_MS);
    }
    await pause(RETRY_MS);
    signal.throwIfAborted();
  }
}

/** Why a Pod is over; nothing where it is not. */
export function podEnd(pod: EndedPod, gone: boolean): PodEnd | undefined {
  const { phase, reason = "", message = "", containerStatuses = [] } = pod.status ?? {};
  const ended = containerStatuses.find(({ name }) => name === RUN_CONTAINER)?.state?.terminated;
  if (ended?.reason === "OOMKilled") return { kind: "out-of-memory", message: "" };
  if (phase === "Failed" && reason !== "") return { kind: "evicted", message: `${reason}: ${message}` };
  if (gone) return { kind: "deleted", message: "" };
  if (pod.metadata.deletionTimestamp) {
    return { kind: "deleted", message: "", graceMs: 1000 * (pod.metadata.deletionGracePeriodSeconds ?? 0) };
  }
  if (ended) {
    const last = (ended.message ?? "").trim().split("\n").at(-1) ?? "";
    return { kind: "ended", message: `exit code ${ended.exitCode}${last ? `, and it said last: ${last}` : ""}` };
  }
  return phase === "Failed" || phase === "Succeeded" ? { kind: "ended", message } : undefined;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
