import type { Api } from "../k8s/api.ts";
import { ApiError } from "../k8s/api_error.ts";
import type { ClusterAccess } from "../k8s/cluster_access.ts";
import { waitUntilReachable } from "../k8s/reachable.ts";
import { waitForReadyPod } from "../k8s/pod_ready.ts";
import { type ClusterSession, SessionGoneError } from "../k8s/session.ts";
import { dialTunnel } from "../k8s/tunnel_dial.ts";
import { importKey } from "../tunnel/mod.ts";
import type { Context } from "./context.ts";
import { ExitCode, UserError } from "./errors.ts";
import { keepSession } from "./keep_session.ts";
import { serveStream } from "./serve_stream.ts";
import { holdTunnel, type LinkState, ReplacedError } from "./tunnel_link.ts";
import type { Upstream } from "./upstream.ts";

/** What {@link forward} works with. */
export interface ForwardOptions {
  readonly context: Context;
  readonly access: ClusterAccess;
  readonly api: Api;
  readonly session: ClusterSession;
  readonly upstream: Upstream;
  /** The session's key, 32 bytes. */
  readonly key: Uint8Array;
}

/** Forwards until the user ends it, and removes the session. @throws UserError where the session is lost for good, or the cluster fails */
export async function forward(options: ForwardOptions): Promise<void> {
  const { context, session } = options;
  const stop = new AbortController();
  const signal = AbortSignal.any([stop.signal, context.interrupted]);
  let remove = true;
  try {
    await Promise.race([
      interruption(context.interrupted),
      keepSession(session, signal),
      keepForwarding(options, signal),
    ]);
  } catch (error) {
    if (context.interrupted.aborted) return;
    remove = !(error instanceof ReplacedError || error instanceof SessionGoneError);
    throw remove ? error : new UserError((error as Error).message, ExitCode.sessionLost, { cause: error });
  } finally {
    stop.abort();
    if (remove) await session.delete();
  }
}

async function keepForwarding(options: ForwardOptions, signal: AbortSignal): Promise<void> {
  const { context, access, api, session: { plan }, upstream } = options;
  const connected = Promise.withResolvers<void>();
  const say = (line: string) => context.stderr(`${line}\n`);
  const tell = new LinkTeller(say);
  const instance = crypto.randomUUID();
  const link = holdTunnel({
    dial: (dialSignal) => dialTunnel(access, plan.namespace, plan.service, dialSignal),
    handshake: {
      key: await importKey(options.key),
      hello: { capabilities: [], session: plan.name, instance, who: context.who, from: context.from },
      random: context.random,
    },
    onStream: (stream) => void serveStream(stream, upstream, ({ from }, why) => say(`${from}: ${why}`)),
    onState: (state) => {
      if (state.is === "connected") connected.resolve();
      tell.state(state);
    },
    isFinal: isFinalAnswer,
    now: context.now,
    chance: Math.random,
    signal,
  });
  const ready = Promise.all([connected.promise, waitForReadyPod(api, plan, (reason) => say(`Waiting for the Pod: ${reason}`), signal)]);
  await Promise.race([link, ready.then(() => waitUntilReachable(api, plan, signal))]);
  if (signal.aborted) return;
  for (const { port } of plan.ports) {
    context.stdout(`Forwarding http://${plan.service}.${plan.namespace}.svc:${port} -> ${upstream.url}\n`);
  }
  tell.begin();
  await link;
}

/** 403 says that a right is missing, and will say so again. */
function isFinalAnswer(error: unknown): boolean {
  return error instanceof ApiError && error.status === 403;
}

function interruption(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve());
  });
}

/** Says when the link goes and when it is back; not while the Pod starts, when nothing is amiss yet. */
class LinkTeller {
  readonly #say: (line: string) => void;
  #begun = false;
  #lost = false;

  constructor(say: (line: string) => void) {
    this.#say = say;
  }

  begin(): void {
    this.#begun = true;
  }

  state(state: LinkState): void {
    if (!this.#begun) return;
    if (state.is === "connected" && this.#lost) this.#say("Connected again");
    if (state.is !== "connected" && !this.#lost) this.#say(`Connection lost: ${state.why}; connecting again`);
    this.#lost = state.is !== "connected";
  }
}
