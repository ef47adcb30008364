import { mayPass } from "../../k8s/api/api_error.ts";
import type { ClusterAccess } from "../../k8s/api/cluster_access.ts";
import { checkObjects } from "../../k8s/session/check_objects.ts";
import { Annotation, type ForwardPlan } from "../../k8s/session/objects/session_plan.ts";
import { type ClusterSession, SessionGoneError } from "../../k8s/session/session.ts";
import { serveJoined } from "../../k8s/session/service/serve_joined.ts";
import type { Context } from "../command/context.ts";
import { ExitCode, ExitError, UserError } from "../command/errors.ts";
import { pause } from "../command/timers.ts";
import { age } from "../session/age.ts";
import { holdSession } from "../session/hold_session.ts";
import { describeRemains, removeOwnSession } from "../session/keep_session.ts";
import { sessionName, type StartedSession, type StartOptions, startSession } from "../session/start_session.ts";
import { ReplacedError } from "../session/tunnel_link.ts";
import type { ReaderOutput, ReadExchange } from "./exchange_reader.ts";
import type { Rewrite } from "./rewrite_head.ts";
import { serveStream } from "./serve_stream.ts";
import { shortList } from "./describe_refusal.ts";
import { StatusScreen } from "./status_screen.ts";
import type { Traffic } from "./traffic.ts";
import { carriesBytes, type Upstream, type UpstreamScheme } from "./upstream_url.ts";

/** The pause before another attempt to create a session without a network. */
const RETRY_MS = 1_000;
/** The Pod serves callers for at most 8 s after it was told to end (server/callers/drain.ts). */
const DRAIN_MS = 10_000;

/** What a session has in the cluster besides the objects that its Job owns. */
export interface SessionExtra {
  /** Makes it, and watches it until aborted. @throws if one or the other fails */
  keep(signal: AbortSignal): Promise<void>;
  /** Waits for the program here. @returns how it is called */
  program(): Promise<Upstream>;
  /** Called when callers can be served: what has to wait until then. @throws if that fails */
  begin(): Promise<void>;
  /** What is served, for standard output. Called after {@linkcode begin}. */
  announce(): string;
  /** Undoes all of it, before the session is removed or after others have removed it. It never throws. */
  end(): Promise<void>;
}

/** Options of {@link forward}. */
export interface ForwardOptions extends StartOptions {
  readonly access: ClusterAccess;
  readonly upstream: Upstream;
  /** The scheme of the Service's URL. */
  readonly callerScheme: UpstreamScheme;
  /** Changes to each request's head, if any. */
  readonly rewrite: Rewrite | undefined;
  /** Makes what reads exchanges; called once for each session. */
  readonly reader?: (output: ReaderOutput) => ReadExchange;
  /** How long to wait until callers can be served, in milliseconds; 0 waits forever. */
  readonly timeoutMs: number;
  /** For each session: the one that replaces an expired one gets its own. */
  readonly extra?: (session: ClusterSession<ForwardPlan>, say: (line: string) => void, traffic: Traffic) => SessionExtra;
}

/**
 * Starts a session and forwards until the user ends it, then removes it. A session that expired while this machine slept is replaced.
 * @throws SessionGoneError, RightsLostError, ExitError or UserError if the session is lost for good; also as startSession does
 */
export async function forward(options: ForwardOptions): Promise<void> {
  const { interrupted } = options.context;
  let started = await startSession(options);
  const screen = new StatusScreen(options.context);
  try {
    for (let again = false; await forwardUntilExpired(options, started, screen, again); again = true) {
      started = await startAgain(options, started.session.plan.name, screen);
    }
  } catch (error) {
    if (!interrupted.aborted) throw error;
  } finally {
    screen.close();
  }
}

/** Replaces an expired session by a new one, however long the network takes. @throws ExitError if the cluster refuses */
async function startAgain(options: ForwardOptions, expired: string, screen: StatusScreen): Promise<StartedSession<ForwardPlan>> {
  const { context: { interrupted }, plan } = options;
  const { context } = screen;
  context.stderr(`Session ${expired} has ended: kurun could not renew it within --ttl. Creating a new one with the same names\n`);
  screen.show({ is: "starting", since: context.date() });
  for (;;) {
    try {
      const annotations = { ...plan.annotations, [Annotation.since]: context.date().toISOString() };
      const name = sessionName(context, plan.service);
      return await startSession({ ...options, context, plan: { ...plan, name, annotations }, takeover: false });
    } catch (error) {
      if (interrupted.aborted || !mayPass(error)) throw new ExitError(ExitCode.sessionLost, error);
      await pause(RETRY_MS, interrupted);
      interrupted.throwIfAborted();
    }
  }
}

/**
 * Forwards through one session.
 * @param again whether it replaces an expired one
 * @returns whether it expired; otherwise the user interrupted
 * @throws as {@link forward} does
 */
async function forwardUntilExpired(
  options: ForwardOptions,
  started: StartedSession<ForwardPlan>,
  screen: StatusScreen,
  again: boolean,
): Promise<boolean> {
  const { context, api, upstream, rewrite } = options;
  const { session } = started;
  const { plan } = session;
  const stop = new AbortController();
  const stopKeeping = new AbortController();
  const using = AbortSignal.any([stopKeeping.signal, context.interrupted]);
  const say = (line: string) => screen.context.stderr(`${line}\n`);
  const extra = options.extra?.(session, say, screen.traffic);
  const { verbose = false } = options.plan;
  const output = { verbose, traffic: screen.traffic, say, now: context.now, date: context.date };
  const serving = { ...output, upstream, rewrite, read: options.reader?.({ ...output, isLive: screen.isLive }) };
  let isServed = false;
  let isLeaving = false;
  let lost = Promise.withResolvers<void>();
  let remove = true;
  // At a Service that outlives the session, callers reach the Pod until the nodes have followed.
  const drains = () => plan.joined !== undefined && isServed;
  try {
    await Promise.race([
      holdSession({
        ...options,
        started,
        onStream: (stream) => void serveStream(stream, serving),
        onReady: async () => {
          if (extra) serving.upstream = await extra.program();
          await extra?.begin();
          if (again) say(`Forwarding again, as session ${plan.name}`);
          else announce(options, plan, screen.context, extra);
        },
        onLink: (link) => {
          isServed = link === undefined;
          // It may be restored.
          if (link) lost.resolve();
          else lost = Promise.withResolvers();
          screen.show(link ? { is: "lost", ...link } : { is: "forwarding", since: context.date() });
        },
        say: (line) => isLeaving || say(line),
        // After hours of forwarding, a slow network is no reason to give up.
        timeoutMs: again ? 0 : options.timeoutMs,
        // The session must not expire while what depends on it is removed.
        keeping: extra ? stopKeeping.signal : using,
        // Callers are still served while an interrupted session is removed.
        signal: stop.signal,
      }),
      // This ends at once if the user interrupts.
      checkObjects(api, session, using),
      ...(extra ? [extra.keep(using)] : []),
      // The Pod that is being stopped serves callers until another one is ready.
      ...(plan.joined ? [serveJoined(api, plan, (pods) => isLeaving || say(describeOthers(plan, pods)), stop.signal)] : []),
    ]);
    return false;
  } catch (error) {
    if (context.interrupted.aborted) return false;
    remove = !(error instanceof ReplacedError || error instanceof SessionGoneError);
    if (error instanceof SessionGoneError && error.expired) return true;
    isLeaving = true;
    // After a takeover or kurun stop, the Pod serves callers until another one is ready.
    if (error instanceof SessionGoneError && (drains() || extra && isServed)) {
      await Promise.race([lost.promise, pause(DRAIN_MS, context.interrupted)]);
    }
    if (!(error instanceof ReplacedError)) throw again ? new ExitError(ExitCode.sessionLost, error) : error;
    throw new UserError(`this kurun lost session ${plan.name}: ${error.message}`, ExitCode.sessionLost, { cause: error });
  } finally {
    if (!extra) stopKeeping.abort();
    if (remove) context.leave(`Session ${plan.name} was not removed: ${describeRemains(session)}`);
    await extra?.end();
    stopKeeping.abort();
    if (remove) {
      const served = drains();
      if (!served) stop.abort();
      isLeaving = true;
      screen.close();
      const removed = await removeOwnSession(context, session);
      // Other Pods may be ready behind the Service. Until the nodes have followed, callers still reach kurun's.
      if (served && removed) await Promise.race([lost.promise, pause(DRAIN_MS, stop.signal)]);
      context.leave(undefined);
    }
    stop.abort();
  }
}

function announce({ callerScheme, upstream }: ForwardOptions, plan: ForwardPlan, context: Context, extra?: SessionExtra): void {
  const urls = plan.ports.map(({ port }) => `${callerScheme}://${plan.service}.${plan.namespace}.svc:${port}`);
  // One write, so that a reader waiting for the first line gets all of them.
  context.stdout(extra?.announce() ?? urls.map((url) => `Forwarding ${url} -> ${upstream.url}\n`).join(""));
  context.stderr(`${awayLine(plan, carriesBytes(upstream.scheme))}\n`);
}

/** Other Pods behind a joined Service. */
function describeOthers({ service }: ForwardPlan, pods: readonly string[]): string {
  if (pods.length === 0) return `Only kurun's Pod is behind Service ${service} again`;
  const [are, them] = pods.length === 1 ? ["is", "it"] : ["are", "them"];
  return `Warning: ${shortList(pods)} ${are} behind Service ${service} too: some callers reach ${them} and not this machine`;
}

/** Says in one line what happens if kurun loses its connection. @param isBytes whether callers' bytes are not HTTP */
export function awayLine(
  { holdMs, ttlSeconds, fallback }: Pick<ForwardPlan, "holdMs" | "ttlSeconds" | "fallback">,
  isBytes: boolean,
): string {
  const wait = holdMs > 0 ? `after ${holdMs / 1000} s` : "at once";
  const answer = isBytes
    ? `callers are disconnected ${wait}`
    : fallback === "allow"
    ? `admission requests are allowed with a warning ${wait}, others get 503`
    : `callers get 503 ${wait}`;
  const end = ttlSeconds > 0
    ? `If it does not return within ${age(ttlSeconds * 1000).replace(/^120s$/, "2m")}, everything it created is deleted.`
    : "What it created stays until it is deleted (--ttl 0).";
  return `If kurun loses its connection, ${answer}. ${end}`;
}
