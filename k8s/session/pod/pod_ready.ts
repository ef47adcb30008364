import type { Api } from "../../api/api.ts";
import { ApiError } from "../../api/api_error.ts";
import { ConnectionError } from "../../api/connection_error.ts";
import {
  type EventObject,
  eventWaitsFor,
  hasAddress,
  isReady,
  type PodObject,
  podWaitsFor,
  type WaitReason,
} from "../../workloads/pod_status.ts";
import { SESSION_LABEL, type SessionPlan } from "../objects/session_objects.ts";

/** A Pod that is ready sooner needs no events: they are many in a busy namespace. */
const QUIET_MS = 1_500;
/** What the kubelet fails at it tries again, and most often succeeds (a Secret that has not arrived yet): said if the Pod still waits after this. */
const PASSING_MS = 3_000;
/** Between a watch that failed and the next. */
const RETRY_MS = 500;

/** Who is told of what becomes of the Pod. */
export interface PodObserver {
  /** Told, once for each change, what the Pod waits for. */
  readonly waitingFor: (reason: WaitReason) => void;
  /** Told when the Pod has an address, perhaps more than once. */
  readonly addressed: () => void;
}

/**
 * Waits until the session's Pod is ready, which the Service's endpoints follow. A watch that breaks begins anew.
 * @throws what the API says where it says no, and the signal's reason
 */
export async function waitForReadyPod(api: Api, plan: SessionPlan, observer: PodObserver, signal: AbortSignal): Promise<void> {
  const done = new AbortController();
  const until = AbortSignal.any([signal, done.signal]);
  const tell = once(observer.waitingFor);
  const status: PodWait = { reason: undefined };
  const events = tellEvents(api, plan, { tell, status, signal: until });
  try {
    await podReady(api, plan, { tell, status, signal }, observer.addressed);
  } finally {
    done.abort();
    await events;
  }
}

/** What the Pod's own status says that it waits for, as of now. */
interface PodWait {
  reason: WaitReason | undefined;
}

/** What both watches share. */
interface Watching {
  readonly tell: (reason: WaitReason) => void;
  readonly status: PodWait;
  readonly signal: AbortSignal;
}

async function podReady(api: Api, plan: SessionPlan, { tell, status, signal }: Watching, addressed: () => void): Promise<void> {
  const path = `/api/v1/namespaces/${plan.namespace}/pods`;
  const query = { labelSelector: `${SESSION_LABEL}=${plan.name}` };
  while (!signal.aborted) {
    try {
      for await (const { type, object } of api.watch(path, { query, signal })) {
        if (type !== "ADDED" && type !== "MODIFIED") continue;
        const pod = object as unknown as PodObject;
        if (hasAddress(pod)) addressed();
        if (isReady(pod)) return;
        status.reason = podWaitsFor(pod);
        if (status.reason) tell(status.reason);
      }
    } catch (error) {
      if (!mayPass(error)) throw error;
    }
    await sleep(RETRY_MS, signal);
  }
  signal.throwIfAborted();
}

/** Tells what events say: a Pod that could not be made has no status of its own. Without the right to see them it tells nothing. */
async function tellEvents(api: Api, plan: SessionPlan, { tell, status, signal }: Watching): Promise<void> {
  // A mount that failed and was tried again with success is no reason any more: told late, it hid that the image could not be pulled.
  const tellIfItLasts = async (reason: WaitReason) => {
    await sleep(PASSING_MS, signal);
    if (!signal.aborted && status.reason === undefined) tell(reason);
  };
  await sleep(QUIET_MS, signal);
  while (!signal.aborted) {
    try {
      for await (const { type, object } of api.watch(`/api/v1/namespaces/${plan.namespace}/events`, { signal })) {
        const reason = type === "ADDED" || type === "MODIFIED" ? eventWaitsFor(object as EventObject, plan.name) : undefined;
        if (reason?.kind === "other") tellIfItLasts(reason).catch(() => {});
        else if (reason) tell(reason);
      }
    } catch (error) {
      if (!mayPass(error)) return;
    }
    await sleep(RETRY_MS, signal);
  }
}

/** Says each thing once; a Pod's random name in a repeated message makes no new thing of it, nor does the pause after a failure. */
function once(waitingFor: (reason: WaitReason) => void): (reason: WaitReason) => void {
  const told = new Set<string>();
  return (reason) => {
    const key = reason.kind === "image"
      ? reason.kind
      : reason.kind === "crash"
      ? reason.message
      : `${reason.reason} ${reason.message.replace(/pods? "[^"]*"/g, "pod")}`;
    // The pull that failed is told as an event after its failure.
    if (told.has(key) || (reason.kind === "pulling" && told.has("image"))) return;
    told.add(key);
    waitingFor(reason);
  };
}

function mayPass(error: unknown): boolean {
  return error instanceof ConnectionError || (error instanceof ApiError && (error.status >= 500 || error.status === 429));
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
    if (signal.aborted) done();
  });
}
