import type { Api } from "../../k8s/api/api.ts";
import type { ClusterAccess } from "../../k8s/api/cluster_access.ts";
import { TunnelDialer, type TunnelWay } from "../../k8s/session/dial/tunnel_dialer.ts";
import { isRun } from "../../k8s/session/objects/session_plan.ts";
import { endEarlyCalls } from "../../k8s/session/pod/early_calls.ts";
import { waitForReadyPod } from "../../k8s/session/pod/pod_ready.ts";
import type { WaitReason } from "../../k8s/workloads/pod_status.ts";
import { importKey } from "../../tunnel/mod.ts";
import type { Context } from "../command/context.ts";
import { Alarm, onWake } from "../command/timers.ts";
import { age } from "./age.ts";
import { describeWait } from "./describe_wait.ts";
import { keepSession } from "./keep_session.ts";
import type { StartedSession } from "./start_session.ts";
import { type LinkState, TunnelLink, type TunnelLinkOptions } from "./tunnel_link.ts";

/** While the tunnel is lost, the session is checked at most this often: its namespace may be disappearing object by object. */
const LOOK_MS = 2_000;

const WAYS: Readonly<Record<TunnelWay, string>> = { service: "the service proxy", pod: "the Pod's kubelet" };

/** Since when and why the tunnel is lost. */
export interface LostLink {
  readonly since: Date;
  readonly why: string;
}

/** Options of {@link holdSession}. */
export interface HoldOptions extends Pick<TunnelLinkOptions, "onStream" | "onSession" | "signal"> {
  readonly context: Context;
  readonly access: ClusterAccess;
  readonly api: Api;
  readonly started: StartedSession;
  /** Called once callers can be served. */
  readonly onReady?: () => void | Promise<void>;
  /** Called after `onReady` with undefined, then when the tunnel is lost, for each failed dial, and with undefined when it is restored. */
  readonly onLink?: (lost: LostLink | undefined) => void;
  readonly say: (line: string) => void;
  /** How long to wait until callers can be served, in milliseconds; 0 waits forever. */
  readonly timeoutMs: number;
  /** Ends the renewal of the session; the tunnel continues. */
  readonly keeping?: AbortSignal;
}

/** The session was not ready in time. */
export class NotReadyError extends Error {
  override readonly name = "NotReadyError";

  /**
   * @param seconds undefined if waiting longer does not help
   * @param waitedFor what the Pod waited for last, and what to do about it, if known
   * @param link why the tunnel was not connected although the Pod was ready
   */
  constructor(readonly seconds: number | undefined, readonly waitedFor: string | undefined, readonly link: string | undefined) {
    super("not ready in time");
  }
}

/**
 * Renews a session and keeps a tunnel to its Pod until aborted. It prints what it waits for, and when the tunnel is lost and restored.
 * @throws NotReadyError, ReplacedError, SessionGoneError, RightsLostError, or a final API error
 */
export async function holdSession(options: HoldOptions): Promise<void> {
  const { context, access, api, started: { session, key, certificate, ways }, say, onLink, signal, keeping = signal } = options;
  const { plan } = session;
  const { who, from, now, date } = context;
  const capabilities = isRun(plan) ? ["run"] : [];
  const renewNow = new Alarm();
  const addressed = Promise.withResolvers<void>();
  const connected = Promise.withResolvers<void>();
  let ready = false;
  let lookedAt = -Infinity;
  let why: string | undefined;
  let lostAt: Date | undefined;
  const report = () => {
    const time = date();
    if (why === undefined) {
      if (lostAt) say(`Reconnected after ${age(time.getTime() - lostAt.getTime())}`);
      lostAt = undefined;
      return onLink?.(undefined);
    }
    if (!lostAt) say(`Connection lost: ${why}; reconnecting`);
    lostAt ??= time;
    onLink?.({ since: lostAt, why });
  };
  const onState = (state: LinkState) => {
    why = state.is === "connected" ? undefined : state.why;
    if (state.is === "connected") connected.resolve();
    if (state.is === "lost") api.distrustConnections();
    if ((state.is === "lost" || (state.is === "failed" && ready)) && now() - lookedAt >= LOOK_MS) {
      lookedAt = now();
      renewNow.ring();
    }
    if (ready) report();
  };
  using dialer = new TunnelDialer({
    access,
    api,
    plan,
    certificate,
    ways,
    addressed: addressed.promise,
    onSwitch: (way, why) =>
      say(`The tunnel goes through ${WAYS[way]} from now on, because ${WAYS[way === "pod" ? "service" : "pod"]} failed: ${why}`),
    signal,
  });
  const begin = async () => {
    await waitUntilReady(options, { connected: connected.promise, addressed: addressed.resolve, why: () => why });
    if (!isRun(plan)) await dialer.reachable(signal);
    if (signal.aborted) return;
    await options.onReady?.();
    if (signal.aborted) return;
    ready = true;
    report();
    if (!isRun(plan) && !plan.joined) await endEarlyCalls(api, plan, signal);
  };
  onWake(date, () => {
    api.distrustConnections();
    renewNow.ring();
  }, keeping);
  const link = new TunnelLink({
    dial: (signal) => dialer.dial(signal),
    handshake: { key: await importKey(key), hello: { capabilities, session: plan.name, instance: crypto.randomUUID(), who, from } },
    onStream: options.onStream,
    onSession: options.onSession,
    onState,
    now,
    date,
    addressed: addressed.promise,
    signal,
  }).hold();
  await Promise.all([link, begin(), keepSession(session, renewNow, keeping)]);
}

/** Waits until the Pod is ready and the tunnel is connected; for a run, and if callers come early, only until it is connected. */
async function waitUntilReady(
  { api, started: { session: { plan } }, say, timeoutMs, signal }: HoldOptions,
  link: { connected: Promise<void>; addressed: () => void; why: () => string | undefined },
): Promise<void> {
  let waitedFor: string | undefined;
  let isPodReady = false;
  const late = Promise.withResolvers<never>();
  const timer = timeoutMs === 0 ? undefined : setTimeout(() => {
    late.reject(new NotReadyError(timeoutMs / 1000, isPodReady ? undefined : waitedFor, isPodReady ? link.why() : undefined));
  }, timeoutMs);
  const waitingFor = (reason: WaitReason) => {
    waitedFor = describeWait(reason, plan.image);
    if (reason.final) return late.reject(new NotReadyError(undefined, waitedFor, undefined));
    say(`Waiting for the Pod: ${waitedFor}`);
  };
  const over = new AbortController();
  const pod = waitForReadyPod(api, plan, { waitingFor, addressed: link.addressed }, AbortSignal.any([signal, over.signal]))
    .then(() => void (isPodReady = true));
  try {
    await Promise.race([Promise.all([link.connected, pod]), late.promise, ...(isRun(plan) || plan.early ? [link.connected] : [])]);
  } finally {
    clearTimeout(timer);
    over.abort();
  }
}
