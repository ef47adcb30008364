import { mayPass } from "../../k8s/api/api_error.ts";
import type { ForwardPlan } from "../../k8s/session/objects/session_plan.ts";
import type { Api } from "../../k8s/api/api.ts";
import type { ClusterAccess } from "../../k8s/api/cluster_access.ts";
import { waitUntilReachable } from "../../k8s/session/owner/client_presence.ts";
import { checkObjects } from "../../k8s/session/check_objects.ts";
import { type ClusterSession, SessionGoneError } from "../../k8s/session/session.ts";
import { Alarm, onWake, pause } from "../command/timers.ts";
import { awayLine } from "./away_line.ts";
import type { Context } from "../command/context.ts";
import { ExitCode, SessionLostError, UserError } from "../command/errors.ts";
import { keepSession } from "../session/keep_session.ts";
import { LinkTeller } from "./link_teller.ts";
import type { Rewrite } from "./rewrite_head.ts";
import { type ServeOptions, serveStream } from "./serve_stream.ts";
import { describeRemains, removeOwnSession } from "../session/remove_own_session.ts";
import { sessionLink } from "../session/session_link.ts";
import type { StartedSession } from "../session/start_session.ts";
import { StatusScreen } from "./status_screen.ts";
import { holdTunnel, ReplacedError } from "../session/tunnel_link.ts";
import { waitUntilReady } from "../session/wait_until_ready.ts";
import { carriesBytes, type Upstream, type UpstreamScheme } from "./upstream_url.ts";

/** The pause before another attempt to create a session without a network. */
const RETRY_MS = 1_000;
/** The Pod serves callers for at most 8 s after it was told to end (server/callers/drain.ts). */
const DRAIN_MS = 10_000;
/** How often the session is checked while the tunnel is lost: its namespace may be disappearing object by object. */
const LOOK_MS = 2_000;

/** Options of {@link forward}. */
export interface ForwardOptions {
  readonly context: Context;
  readonly access: ClusterAccess;
  readonly api: Api;
  readonly started: StartedSession<ForwardPlan>;
  /** Creates another session under the same names after this one has expired. Its messages go to the given context. */
  readonly startAgain: (context: Context) => Promise<StartedSession<ForwardPlan>>;
  readonly upstream: Upstream;
  /** The scheme of the Service's URL. */
  readonly callerScheme: UpstreamScheme;
  /** Changes to each request's head, if any. */
  readonly rewrite?: Rewrite | undefined;
  /** Whether to print a line for each request. */
  readonly verbose: boolean;
  /** How long to wait until callers can be served, in milliseconds; 0 waits forever. */
  readonly timeoutMs: number;
}

/**
 * Forwards until the user ends it, then removes the session. If the session expired while this machine slept, a new one replaces it.
 * @throws SessionGoneError, RightsLostError, SessionLostError or UserError if the session is lost for good; also API errors
 */
export async function forward(options: ForwardOptions): Promise<void> {
  const { interrupted } = options.context;
  const screen = new StatusScreen(options.context);
  const forwarding = new Forwarding(options, screen);
  let { started } = options;
  try {
    while (await forwarding.hold(started) === "expired") {
      const next = await forwarding.startAgain(started);
      if (!next) return;
      started = next;
    }
  } catch (error) {
    if (!interrupted.aborted) throw error;
  } finally {
    screen.close();
  }
}

class Forwarding {
  readonly #options: ForwardOptions;
  readonly #screen: StatusScreen;
  readonly #say: (line: string) => void;
  readonly #teller: LinkTeller;
  readonly #serving: ServeOptions;
  #sessions = 0;

  constructor(options: ForwardOptions, screen: StatusScreen) {
    const { upstream, verbose, context } = options;
    this.#options = options;
    this.#screen = screen;
    this.#say = (line) => screen.context.stderr(`${line}\n`);
    this.#teller = new LinkTeller(screen);
    this.#serving = {
      upstream,
      rewrite: options.rewrite,
      watch: { verbose, traffic: screen.traffic, say: this.#say, now: context.now, date: context.date },
    };
  }

  /** Holds one session. @returns how it ended, without an error @throws as {@link forward} does */
  async hold(started: StartedSession<ForwardPlan>): Promise<"interrupted" | "expired"> {
    const { context, api } = this.#options;
    const { session } = started;
    const stop = new AbortController();
    const stopKeeping = new AbortController();
    // Callers are still served while an interrupted session is removed.
    const signal = stop.signal;
    const keeping = AbortSignal.any([signal, stopKeeping.signal, context.interrupted]);
    let lost = Promise.withResolvers<void>();
    const renewNow = new Alarm();
    onWake(context.date, () => {
      api.distrustConnections();
      renewNow.ring();
    }, keeping);
    const again = this.#sessions++ > 0;
    let lookedAt = -Infinity;
    const onLost = () => {
      lost.resolve();
      if (context.now() - lookedAt < LOOK_MS) return;
      lookedAt = context.now();
      renewNow.ring();
    };
    let remove = true;
    try {
      await Promise.race([
        interruption(context.interrupted),
        keepSession(session, renewNow, keeping),
        checkObjects(api, session, keeping),
        this.#serve(started, { again, onLost, signal }),
      ]);
      return "interrupted";
    } catch (error) {
      if (context.interrupted.aborted) return "interrupted";
      remove = !(error instanceof ReplacedError || error instanceof SessionGoneError);
      if (error instanceof SessionGoneError && error.expired) return "expired";
      if (!(error instanceof ReplacedError)) throw again ? new SessionLostError(error) : error;
      throw new UserError(`this kurun lost session ${session.plan.name}: ${error.message}`, ExitCode.sessionLost, { cause: error });
    } finally {
      stopKeeping.abort();
      if (remove) {
        context.leave(`Session ${session.plan.name} was not removed: ${describeRemains(session)}`);
        const served = session.plan.joined !== undefined && this.#teller.connected;
        // The connection may have been lost and restored before.
        lost = Promise.withResolvers();
        if (!served) stop.abort();
        this.#teller.end();
        this.#screen.close();
        const removed = await removeOwnSession(context, session);
        // Other Pods may be ready behind the Service. Until the nodes have followed, callers still reach kurun's.
        if (served && removed) await Promise.race([lost.promise, pause(DRAIN_MS, signal)]);
        context.leave(undefined);
      }
      stop.abort();
    }
  }

  /**
   * Connects a session's callers to the program here until aborted.
   * @param by.onLost called when the tunnel is lost, and for each dial that fails afterwards
   * @throws NotReadyError, ReplacedError, or a final API error
   */
  async #serve(
    started: StartedSession<ForwardPlan>,
    { again, onLost, signal }: { again: boolean; onLost: () => void; signal: AbortSignal },
  ): Promise<void> {
    const { api } = this.#options;
    const { plan } = started.session;
    const addressed = Promise.withResolvers<void>();
    const connected = Promise.withResolvers<void>();
    let whyNotConnected: string | undefined;
    const link = holdTunnel({
      ...await sessionLink(this.#options, started, []),
      onStream: (stream) => void serveStream(stream, this.#serving),
      onState: (state) => {
        if (state.is === "connected") connected.resolve();
        whyNotConnected = state.is === "connected" ? undefined : state.why;
        if (state.is === "lost") api.distrustConnections();
        if (state.is === "lost" || (state.is === "failed" && this.#teller.begun)) onLost();
        this.#teller.state(state);
      },
      addressed: addressed.promise,
      signal,
    });
    const ready = waitUntilReady({
      api,
      plan,
      connected: connected.promise,
      whyNotConnected: () => whyNotConnected,
      say: this.#say,
      addressed: addressed.resolve,
      // After hours of forwarding, a slow network is no reason to give up.
      timeoutMs: again ? 0 : this.#options.timeoutMs,
      signal,
    });
    await Promise.race([link, ready.then(() => waitUntilReachable(api, plan, signal))]);
    if (signal.aborted) return;
    this.#announce(started.session, again);
    this.#teller.begin();
    await link;
  }

  /**
   * Replaces an expired session by a new one, however long the network takes.
   * @returns undefined if interrupted
   * @throws SessionLostError if the cluster refuses
   */
  async startAgain(before: StartedSession<ForwardPlan>): Promise<StartedSession<ForwardPlan> | undefined> {
    const { context: { interrupted }, startAgain } = this.#options;
    const { name } = before.session.plan;
    this.#say(`Session ${name} has ended: kurun could not renew it within --ttl. Creating a new one with the same names`);
    this.#teller.pauseWhileStarting();
    while (!interrupted.aborted) {
      try {
        return await startAgain(this.#screen.context);
      } catch (error) {
        if (interrupted.aborted) return undefined;
        if (!mayPass(error)) throw new SessionLostError(error);
        await pause(RETRY_MS, interrupted);
      }
    }
    return undefined;
  }

  #announce({ plan }: ClusterSession<ForwardPlan>, again: boolean): void {
    const { callerScheme, upstream } = this.#options;
    if (again) return this.#say(`Forwarding again, as session ${plan.name}`);
    const urls = plan.ports.map(({ port }) => `${callerScheme}://${plan.service}.${plan.namespace}.svc:${port}`);
    // One write, so that a reader waiting for the first line gets all of them.
    this.#screen.context.stdout(urls.map((url) => `Forwarding ${url} -> ${upstream.url}\n`).join(""));
    this.#say(awayLine(plan, carriesBytes(upstream.scheme)));
  }
}

function interruption(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve());
  });
}
