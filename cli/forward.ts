import type { Api } from "../k8s/api.ts";
import { ApiError } from "../k8s/api_error.ts";
import type { ClusterAccess } from "../k8s/cluster_access.ts";
import { waitUntilReachable } from "../k8s/reachable.ts";
import { type ClusterSession, SessionGoneError } from "../k8s/session.ts";
import { dialTunnel } from "../k8s/tunnel_dial.ts";
import { importKey } from "../tunnel/mod.ts";
import type { Context } from "./context.ts";
import { ExitCode, UserError } from "./errors.ts";
import { keepSession } from "./keep_session.ts";
import type { Rewrite } from "./rewrite_head.ts";
import { plainText } from "./plain_text.ts";
import { serveStream } from "./serve_stream.ts";
import { StatusScreen } from "./status_screen.ts";
import { holdTunnel, type LinkState, ReplacedError } from "./tunnel_link.ts";
import type { Upstream, UpstreamScheme } from "./upstream.ts";
import { waitUntilReady } from "./wait_until_ready.ts";

/** What {@link forward} works with. */
export interface ForwardOptions {
  readonly context: Context;
  readonly access: ClusterAccess;
  readonly api: Api;
  readonly session: ClusterSession;
  readonly upstream: Upstream;
  /** What the Service's URL begins with. */
  readonly callerScheme: UpstreamScheme;
  /** The session's key, 32 bytes. */
  readonly key: Uint8Array;
  /** What changes in each request's head, where something does. */
  readonly rewrite?: Rewrite | undefined;
  /** Whether each request is told of. */
  readonly verbose: boolean;
  /** How long it may take until callers can be served, in milliseconds; 0 for ever. */
  readonly timeoutMs: number;
}

/** Forwards until the user ends it, and removes the session. @throws UserError where the session is lost for good, or the cluster fails */
export async function forward(options: ForwardOptions): Promise<void> {
  const { context, session } = options;
  const stop = new AbortController();
  const signal = AbortSignal.any([stop.signal, context.interrupted]);
  const screen = new StatusScreen(context);
  let remove = true;
  try {
    await Promise.race([
      interruption(context.interrupted),
      keepSession(session, signal),
      keepForwarding({ ...options, context: screen.context }, screen, signal),
    ]);
  } catch (error) {
    if (context.interrupted.aborted) return;
    remove = !(error instanceof ReplacedError || error instanceof SessionGoneError);
    throw remove ? error : new UserError((error as Error).message, ExitCode.sessionLost, { cause: error });
  } finally {
    stop.abort();
    screen.close();
    if (remove) await removeSession(context, session);
  }
}

async function keepForwarding(options: ForwardOptions, screen: StatusScreen, signal: AbortSignal): Promise<void> {
  const { context, access, api, session: { plan }, upstream } = options;
  const connected = Promise.withResolvers<void>();
  const say = (line: string) => context.stderr(`${plainText(line)}\n`);
  const tell = new LinkTeller(say, screen);
  const serving = {
    upstream,
    rewrite: options.rewrite,
    watch: {
      verbose: options.verbose,
      raw: upstream.scheme === "tcp" || upstream.scheme === "tls" ? upstream.scheme : undefined,
      traffic: screen.traffic,
      say,
      now: context.now,
    },
  };
  let whyNotConnected: string | undefined;
  if (options.verbose && !serving.watch.raw) screen.traffic.requests = 0;
  const instance = crypto.randomUUID();
  const link = holdTunnel({
    dial: (dialSignal) => dialTunnel(access, plan.namespace, plan.service, dialSignal),
    handshake: {
      key: await importKey(options.key),
      hello: { capabilities: [], session: plan.name, instance, who: context.who, from: context.from },
      random: context.random,
    },
    onStream: (stream) => void serveStream(stream, serving),
    onState: (state) => {
      if (state.is === "connected") connected.resolve();
      whyNotConnected = state.is === "connected" ? undefined : state.why;
      tell.state(state);
    },
    // Later it may be an API server that starts and does not know the roles yet; keepSession tells when it is for good.
    isFinal: (error) => !tell.begun && isFinalAnswer(error),
    now: context.now,
    chance: Math.random,
    signal,
  });
  const ready = waitUntilReady({
    api,
    plan,
    connected: connected.promise,
    whyNotConnected: () => whyNotConnected,
    say,
    timeoutMs: options.timeoutMs,
    signal,
  });
  await Promise.race([link, ready.then(() => waitUntilReachable(api, plan, signal))]);
  if (signal.aborted) return;
  // One write: who waits for the first line may read them all.
  context.stdout(
    plan.ports.map(({ port }) => `Forwarding ${options.callerScheme}://${plan.service}.${plan.namespace}.svc:${port} -> ${upstream.url}\n`)
      .join(""),
  );
  tell.begin();
  await link;
}

/** What cannot be removed now goes with the session's deadline; that must not hide why the command ends. */
async function removeSession(context: Context, session: ClusterSession): Promise<void> {
  try {
    await session.delete();
  } catch (error) {
    const { name, ttlSeconds } = session.plan;
    const later = ttlSeconds > 0 ? `the cluster removes it within ${ttlSeconds} s` : "it stays, since --ttl is 0";
    context.stderr(`${plainText(`Session ${name} could not be removed (${(error as Error).message}): ${later}`)}\n`);
  }
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
  readonly #screen: StatusScreen;
  #begun = false;
  #lost = false;

  get begun(): boolean {
    return this.#begun;
  }

  constructor(say: (line: string) => void, screen: StatusScreen) {
    this.#say = say;
    this.#screen = screen;
  }

  begin(): void {
    this.#begun = true;
    this.#screen.state("forwarding");
  }

  state(state: LinkState): void {
    if (!this.#begun) return;
    if (state.is === "connected" && this.#lost) this.#say("Connected again");
    if (state.is !== "connected" && !this.#lost) this.#say(`Connection lost: ${state.why}; connecting again`);
    this.#lost = state.is !== "connected";
    this.#screen.state(this.#lost ? "lost" : "forwarding");
  }
}
