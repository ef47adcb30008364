import type { Api } from "../../k8s/api/api.ts";
import { waitForReadyPod } from "../../k8s/session/pod/pod_ready.ts";
import type { WaitReason } from "../../k8s/workloads/pod_status.ts";
import type { SessionPlan } from "../../k8s/session/objects/session_plan.ts";
import { describeWait } from "./describe_wait.ts";

/** Options of {@link waitUntilReady}. */
export interface WaitOptions {
  readonly api: Api;
  readonly plan: SessionPlan;
  /** Settles when the tunnel is connected. */
  readonly connected: Promise<void>;
  /** Why the tunnel is not connected now. */
  readonly whyNotConnected: () => string | undefined;
  readonly say: (line: string) => void;
  /** Called when the Pod has an address. */
  readonly addressed: () => void;
  /** Replaces a reason before it is printed. */
  readonly reasonOf?: (reason: WaitReason) => WaitReason;
  /** 0 waits forever. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** The session was not ready in time. */
export class NotReadyError extends Error {
  override readonly name = "NotReadyError";
  readonly seconds: number;
  /** What the Pod waited for last, if known. */
  readonly reason: WaitReason | undefined;
  /** Why the tunnel was not connected although the Pod was ready. */
  readonly link: string | undefined;

  constructor(seconds: number, why: { reason?: WaitReason | undefined; link?: string | undefined }) {
    super(`not ready within ${seconds} s`);
    this.seconds = seconds;
    this.reason = why.reason;
    this.link = why.link;
  }
}

/** Waits until the Pod is ready and the tunnel is connected, and prints what it waits for. @throws NotReadyError; also API errors */
export async function waitUntilReady(options: WaitOptions): Promise<void> {
  const { api, plan, say, timeoutMs, signal } = options;
  let reason: WaitReason | undefined;
  let ready = false;
  const late = Promise.withResolvers<never>();
  const timer = timeoutMs === 0 ? undefined : setTimeout(() => {
    late.reject(new NotReadyError(timeoutMs / 1000, ready ? { link: options.whyNotConnected() } : { reason }));
  }, timeoutMs);
  const waitingFor = (next: WaitReason) => {
    reason = options.reasonOf?.(next) ?? next;
    say(`Waiting for the Pod: ${describeWait(reason)}`);
  };
  const pod = waitForReadyPod(api, plan, { waitingFor, addressed: options.addressed }, signal).then(() => void (ready = true));
  // If the caller stops first, the signal makes this fail later.
  pod.catch(() => {});
  try {
    await Promise.race([Promise.all([options.connected, pod]), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
