import type { Api } from "../../k8s/api/api.ts";
import type { ClusterAccess } from "../../k8s/api/cluster_access.ts";
import type { RunPlan } from "../../k8s/session/objects/session_plan.ts";
import { waitForReadyPod } from "../../k8s/session/pod/pod_ready.ts";
import type { WaitReason } from "../../k8s/workloads/pod_status.ts";
import { age } from "../session/age.ts";
import type { Context } from "../command/context.ts";
import { describeWait } from "../session/describe_wait.ts";
import type { RunClient } from "./run_client.ts";
import type { StartedSession } from "../session/start_session.ts";
import { sessionLink } from "../session/session_link.ts";
import { holdTunnel, type LinkState } from "../session/tunnel_link.ts";
import { NotReadyError } from "../session/wait_until_ready.ts";

/** What {@link holdRunLink} works with. */
export interface RunLinkOptions {
  readonly context: Context;
  readonly access: ClusterAccess;
  readonly api: Api;
  readonly started: StartedSession<RunPlan>;
  readonly client: RunClient;
  /** How long it may take until the Pod is there, in milliseconds; 0 for ever. */
  readonly timeoutMs: number;
  readonly say: (line: string) => void;
  /** Told when the tunnel goes that stood. */
  readonly onLost: () => void;
  readonly signal: AbortSignal;
}

/** Keeps a client connected with its Pod until aborted, saying what it waits for. @throws NotReadyError, ReplacedError, or a refusal that stays */
export async function holdRunLink(options: RunLinkOptions): Promise<void> {
  const { context, api, client, say, signal } = options;
  const addressed = Promise.withResolvers<void>();
  const connected = new AbortController();
  let failed: string | undefined;
  let lostAt: number | undefined;
  const onState = (state: LinkState) => {
    if (state.is === "connected") {
      if (lostAt !== undefined) say(`Connected again after ${age(context.now() - lostAt)}`);
      lostAt = undefined;
      return connected.abort();
    }
    failed = state.why;
    if (state.is === "failed") return;
    api.distrustConnections();
    lostAt ??= context.now();
    say(`Connection lost: ${state.why}; connecting again`);
    options.onLost();
  };
  const link = holdTunnel({
    ...await sessionLink({ ...options, capabilities: ["run"] }),
    onStream: (stream) => stream.reset(),
    onSession: (session) => client.attach(session),
    onState,
    addressed: addressed.promise,
    signal,
  });
  await Promise.race([link, waitForPod(options, { connected: connected.signal, whyNot: () => failed, addressed: addressed.resolve })]);
  await link;
}

interface PodWaitOptions {
  readonly connected: AbortSignal;
  /** Why the tunnel does not stand, as of now. */
  readonly whyNot: () => string | undefined;
  readonly addressed: () => void;
}

/** Says what the Pod waits for until the tunnel stands. @throws NotReadyError, or what the API says */
async function waitForPod(options: RunLinkOptions, { connected, whyNot, addressed }: PodWaitOptions): Promise<void> {
  const { api, started: { session: { plan } }, timeoutMs, say, signal } = options;
  const until = AbortSignal.any([connected, signal]);
  let reason: WaitReason | undefined;
  let ready = false;
  const late = Promise.withResolvers<never>();
  const timer = timeoutMs === 0 ? undefined : setTimeout(() => {
    late.reject(new NotReadyError(timeoutMs / 1000, ready ? { link: whyNot() } : { reason }));
  }, timeoutMs);
  const base = plan.run.baseImage;
  const waitingFor = (next: WaitReason) => {
    // What to do about kurun's own image does not help with the user's.
    reason = base !== undefined && next.kind === "image" && next.message.includes(base) ? { ...next, kind: "other" } : next;
    say(`Waiting for the Pod: ${describeWait(reason)}`);
  };
  const pod = waitForReadyPod(api, plan, { waitingFor, addressed }, until).then(() => void (ready = true), (error) => {
    if (!until.aborted) throw error;
  });
  const stands = new Promise<void>((resolve) => until.addEventListener("abort", () => resolve(), { once: true }));
  try {
    await Promise.race([stands, late.promise, pod.then(() => stands)]);
  } finally {
    clearTimeout(timer);
  }
}
