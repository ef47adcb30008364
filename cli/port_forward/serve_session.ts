import type { ForwardPlan } from "../../k8s/session/objects/session_plan.ts";
import type { Api } from "../../k8s/api/api.ts";
import type { ClusterAccess } from "../../k8s/api/cluster_access.ts";
import { waitUntilReachable } from "../../k8s/session/owner/client_presence.ts";
import type { Context } from "../command/context.ts";
import type { LinkTeller } from "./link_teller.ts";
import { type ServeOptions, serveStream } from "./serve_stream.ts";
import type { StartedSession } from "../session/start_session.ts";
import { sessionLink } from "../session/session_link.ts";
import { holdTunnel, type LinkState } from "../session/tunnel_link.ts";
import { waitUntilReady } from "../session/wait_until_ready.ts";

/** Options of {@link serveSession}. */
export interface ServeSessionOptions {
  readonly context: Context;
  readonly access: ClusterAccess;
  readonly api: Api;
  readonly started: StartedSession<ForwardPlan>;
  /** How each caller is served. */
  readonly serving: ServeOptions;
  /** Reports changes of the connection. */
  readonly teller: LinkTeller;
  /** Called when the tunnel is lost, and for each dial that fails afterwards. */
  readonly onLost: () => void;
  /** Called when callers can be served. */
  readonly announce: () => void;
  readonly say: (line: string) => void;
  /** How long to wait until callers can be served, in milliseconds; 0 for ever. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** Connects a session's callers to the program here until aborted. @throws NotReadyError, ReplacedError, or a final API error */
export async function serveSession(options: ServeSessionOptions): Promise<void> {
  const { api, started: { session: { plan } }, teller, signal } = options;
  const addressed = Promise.withResolvers<void>();
  const connected = Promise.withResolvers<void>();
  let whyNotConnected: string | undefined;
  const onState = (state: LinkState) => {
    if (state.is === "connected") connected.resolve();
    whyNotConnected = state.is === "connected" ? undefined : state.why;
    if (state.is === "lost") api.distrustConnections();
    if (state.is === "lost" || (state.is === "failed" && teller.begun)) options.onLost();
    teller.state(state);
  };
  const link = holdTunnel({
    ...await sessionLink({ ...options, capabilities: [] }),
    onStream: (stream) => void serveStream(stream, options.serving),
    onState,
    addressed: addressed.promise,
    signal,
  });
  const ready = waitUntilReady({
    api,
    plan,
    connected: connected.promise,
    whyNotConnected: () => whyNotConnected,
    say: options.say,
    addressed: addressed.resolve,
    timeoutMs: options.timeoutMs,
    signal,
  });
  await Promise.race([link, ready.then(() => waitUntilReachable(api, plan, signal))]);
  if (signal.aborted) return;
  options.announce();
  teller.begin();
  await link;
}
