import type { Api } from "../../k8s/api/api.ts";
import type { ClusterAccess } from "../../k8s/api/cluster_access.ts";
import type { RunPlan } from "../../k8s/session/objects/session_plan.ts";
import type { Context } from "../command/context.ts";
import { age } from "../session/age.ts";
import { sessionLink } from "../session/session_link.ts";
import type { StartedSession } from "../session/start_session.ts";
import { holdTunnel, type LinkState } from "../session/tunnel_link.ts";
import { waitUntilReady } from "../session/wait_until_ready.ts";
import type { SupervisorClient } from "./supervisor_client.ts";

/** What {@link holdRunLink} works with. */
export interface RunLinkOptions {
  readonly context: Context;
  readonly access: ClusterAccess;
  readonly api: Api;
  readonly started: StartedSession<RunPlan>;
  readonly client: SupervisorClient;
  /** How long the first connection may take, in milliseconds; 0 is unlimited. */
  readonly timeoutMs: number;
  readonly say: (line: string) => void;
  /** Called when an established connection is lost. */
  readonly onLost: () => void;
  readonly signal: AbortSignal;
}

/**
 * Keeps a client connected to its Pod until aborted, and says what it waits for.
 * @throws NotReadyError, ReplacedError, or what the API server keeps refusing
 */
export async function holdRunLink(options: RunLinkOptions): Promise<void> {
  const { context, api, client, say, signal } = options;
  const addressed = Promise.withResolvers<void>();
  const connected = new AbortController();
  let failed: string | undefined;
  let lostAt: number | undefined;
  const onState = (state: LinkState) => {
    if (state.is === "connected") {
      if (lostAt !== undefined) say(`Reconnected after ${age(context.now() - lostAt)}`);
      lostAt = undefined;
      return connected.abort();
    }
    failed = state.why;
    if (state.is === "failed") return;
    api.distrustConnections();
    lostAt ??= context.now();
    say(`Connection lost: ${state.why}; reconnecting`);
    options.onLost();
  };
  const link = holdTunnel({
    ...await sessionLink(options, options.started, ["run"]),
    onStream: (stream) => stream.reset(),
    onSession: (session) => client.attach(session),
    onState,
    addressed: addressed.promise,
    signal,
  });
  const { started: { session: { plan } }, timeoutMs } = options;
  const base = plan.run.baseImage;
  const over = AbortSignal.any([connected.signal, signal]);
  // Until there is a connection; that the Pod becomes ready then does not matter.
  const waiting = waitUntilReady({
    api,
    plan,
    connected: new Promise((resolve) => over.addEventListener("abort", () => resolve(), { once: true })),
    whyNotConnected: () => failed,
    say,
    addressed: addressed.resolve,
    // The advice for a missing image is about kurun's own, and does not help with the user's.
    reasonOf: (reason) => base && reason.kind === "image" && reason.message.includes(base) ? { ...reason, kind: "other" } : reason,
    timeoutMs,
    signal: over,
  }).catch((error) => {
    if (!over.aborted) throw error;
  });
  await Promise.race([link, waiting]);
  await link;
}
