import { ApiError } from "../../k8s/api/api_error.ts";
import {
  handshakeAsClient,
  type HandshakeError,
  type HandshakeOptions,
  type KeepAlive,
  keepAlive,
  Session,
  type Stream,
  type Transport,
} from "../../tunnel/mod.ts";
import type { Context } from "../command/context.ts";
import { Alarm, onWake } from "../command/timers.ts";
import { RightsLostError } from "./keep_session.ts";

/** The server's close code for a client that another one replaced: do not dial again. */
const REPLACED = 4001;
/** The longest pause before the first redial; it doubles with each failure up to LAST_DELAY_MS. */
const FIRST_DELAY_MS = 100;
const LAST_DELAY_MS = 2_000;
/** The longest pause while a Pod with an address starts: a dial that the API server refuses costs little. */
const STARTING_DELAY_MS = 200;
const STARTING_MS = 15_000;
/** The longest pause once the Pod has an address: it joins the Service within about 20 ms, and its server listens soon. */
const HURRY_DELAY_MS = 30;
const HURRY_MS = 1_000;
/** A connection that lasted this long resets the pauses. One that is cut at once must not cause a dial loop without pauses. */
const LASTING_MS = 5_000;
/** A second dial starts in parallel after this: SYNs that a dead network lost are retransmitted only after 1, 3 and 7 s. */
const SECOND_DIAL_MS = 1_500;
const DIAL_MS = 10_000;
/** Not much longer than the server waits for a proof (3 s): a dial whose turn comes later than that is refused. */
const HANDSHAKE_MS = 3_500;
/** This many refusals in a row over this time are final: an API server that starts refuses until it has loaded the roles. */
const FINAL_REFUSALS = 8;
const FINAL_REFUSALS_MS = 8_000;

/** Options of a {@link TunnelLink}. */
export interface TunnelLinkOptions extends Pick<Context, "now" | "date"> {
  /** Opens a transport to the server, with fresh credentials for each call. */
  readonly dial: (signal: AbortSignal) => Promise<Transport>;
  readonly handshake: Omit<HandshakeOptions, "signal">;
  readonly onStream: (stream: Stream) => void;
  /** Called with each established session, to open streams in it. */
  readonly onSession?: ((session: Session) => void) | undefined;
  readonly onState: (state: LinkState) => void;
  /** A number from 0 to 1, for jitter; random if absent. */
  readonly chance?: () => number;
  /** Settles when the Pod has an address: it is then dialed at once, and again after short pauses. */
  readonly addressed: Promise<void>;
  readonly signal: AbortSignal;
}

/** What the link is doing. */
export type LinkState = { readonly is: "connected" } | { readonly is: "lost" | "failed"; readonly why: string };

/** Another client replaced this one. The message says whose. */
export class ReplacedError extends Error {
  override readonly name = "ReplacedError";
}

/** The pause before the next dial, in milliseconds: it doubles, with jitter so that many clients do not dial at the same time. */
export function delay(failures: number, chance: number, longest: number = LAST_DELAY_MS): number {
  return Math.min(longest, FIRST_DELAY_MS * 2 ** Math.min(failures, 10)) * (0.5 + chance / 2);
}

/** A session with the server, and its end. */
interface Link {
  readonly session: Session;
  readonly watch: KeepAlive;
  readonly close: () => void;
  readonly ended: Promise<{ readonly code: number; readonly reason: string; readonly why: string }>;
  /** Settles when the server asks the client to dial the next Pod; open streams continue. */
  readonly goingAway: Promise<void>;
}

/** A session with the server that is dialed again whenever it is lost. */
export class TunnelLink {
  readonly #options: TunnelLinkOptions;
  readonly #startedAt: number;
  /** The established links; several while a terminating Pod still serves open streams. */
  readonly #links = new Set<Link>();
  #begun = false;
  #failures = 0;
  /** Connections in a row that did not last. */
  #cuts = 0;
  #refusals = 0;
  #refusedSince = 0;
  readonly #alarm = new Alarm();
  /** Ends the pause before the next dial, but starts no second one in parallel: that would be a second connection. */
  readonly #hurry = new Alarm();
  /** Unknown until the Pod has an address. */
  #hurryUntil: number | undefined;
  /** Settles when no dial is proving itself. The server lets a second proof replace the first client, so dials take turns. */
  #proven: Promise<void> = Promise.resolve();

  constructor(options: TunnelLinkOptions) {
    this.#options = options;
    this.#startedAt = options.now();
  }

  /** Keeps a session until aborted. @throws ReplacedError, RightsLostError, or the refusal itself if there was no connection before it */
  async hold(): Promise<void> {
    const { signal, now, chance = Math.random } = this.#options;
    // A jump of the time of day shows that the machine slept.
    onWake(this.#options.date, () => {
      this.#failures = 0;
      this.#alarm.ring();
      for (const { watch } of this.#links) watch.suspect();
    }, signal);
    this.#options.addressed.then(() => {
      this.#hurryUntil = now() + HURRY_MS;
      this.#hurry.ring();
    }, () => {});
    const replaced = Promise.withResolvers<never>();
    replaced.promise.catch(() => {});
    while (!signal.aborted) {
      const link = await Promise.race([this.#connect(), replaced.promise]);
      if (!link) return;
      const since = now();
      const gone = this.#hold(link).catch(replaced.reject);
      await Promise.race([gone, link.goingAway, replaced.promise]);
      const goingAway = this.#links.has(link);
      if (now() - since >= LASTING_MS) this.#cuts = 0;
      if (!goingAway && !signal.aborted) await this.#pause(delay(this.#cuts++, chance()));
    }
  }

  /** Reports a link until it ends. @throws ReplacedError */
  async #hold(link: Link): Promise<void> {
    const { onState, onSession, signal } = this.#options;
    this.#begun = true;
    this.#refusals = 0;
    this.#links.add(link);
    onSession?.(link.session);
    if (this.#links.size === 1) onState({ is: "connected" });
    const end = await link.ended;
    this.#links.delete(link);
    if (signal.aborted) return;
    if (end.code === REPLACED) throw new ReplacedError(end.reason);
    if (this.#links.size === 0) onState({ is: "lost", why: end.why });
  }

  /** Dials until there is a link. @returns undefined if aborted @throws a final refusal */
  async #connect(): Promise<Link | undefined> {
    const { signal, now, chance = Math.random } = this.#options;
    const others = new AbortController();
    const won = Promise.withResolvers<Link>();
    won.promise.catch(() => {});
    this.#failures = 0;
    try {
      for (;;) {
        const dialedAt = now();
        const dial = this.#dial(won, others);
        const failed = await Promise.race([won.promise.then(() => false), dial, this.#pause(SECOND_DIAL_MS)]);
        if (failed && !signal.aborted) {
          const wait = delay(this.#failures++, chance(), this.#longestDelay()) - (now() - dialedAt);
          if (wait > 0) {
            await Promise.race([won.promise, this.#pause(wait), this.#hurry.pause(wait, AbortSignal.any([signal, others.signal]))]);
          }
        }
        if (signal.aborted) return undefined;
        const link = await Promise.race([won.promise, Promise.resolve(undefined)]);
        if (link) return link;
      }
    } finally {
      others.abort();
    }
  }

  /** Dials once, next to others. A failure counts even long after another dial was started. @returns whether it failed */
  async #dial(won: PromiseWithResolvers<Link>, others: AbortController): Promise<boolean> {
    const signal = AbortSignal.any([this.#options.signal, others.signal]);
    const over = Promise.withResolvers<void>();
    const mayProve = async () => {
      const before = this.#proven;
      this.#proven = before.then(() => over.promise);
      await before;
      signal.throwIfAborted();
    };
    try {
      const link = await connectOnce(this.#options, signal, mayProve);
      if (signal.aborted) link.close();
      won.resolve(link);
      // Before another dial may prove itself.
      others.abort();
      return false;
    } catch (error) {
      if (signal.aborted || !this.#noteFailure(error as Error)) return true;
      won.reject(this.#begun ? new RightsLostError((error as Error).message, { cause: error }) : error);
      return true;
    } finally {
      over.resolve();
    }
  }

  /** Short while the first or the next Pod starts: the Service still routes some dials to the terminating one. */
  #longestDelay(): number {
    const now = this.#options.now();
    if (this.#links.size > 0) return STARTING_DELAY_MS;
    if (this.#begun || this.#hurryUntil === undefined) return LAST_DELAY_MS;
    if (now < this.#hurryUntil) return HURRY_DELAY_MS;
    return now - this.#startedAt < STARTING_MS ? STARTING_DELAY_MS : LAST_DELAY_MS;
  }

  /** @returns whether the error is a refusal that persists */
  #noteFailure(error: Error): boolean {
    const { onState, now } = this.#options;
    if (!(error instanceof ApiError && error.status === 403)) this.#refusals = 0;
    else if (this.#refusals++ === 0) this.#refusedSince = now();
    const final = this.#refusals >= FINAL_REFUSALS && now() - this.#refusedSince >= FINAL_REFUSALS_MS;
    if (!final && this.#links.size === 0) onState({ is: "failed", why: error.message });
    return final;
  }

  /** Waits, but not beyond the machine's wake-up. */
  async #pause(ms: number): Promise<undefined> {
    await this.#alarm.pause(ms, this.#options.signal);
    return undefined;
  }
}

async function connectOnce(options: TunnelLinkOptions, signal: AbortSignal, mayProve: () => Promise<void>): Promise<Link> {
  const within = (ms: number) => AbortSignal.any([signal, AbortSignal.timeout(ms)]);
  const transport = await options.dial(within(DIAL_MS));
  const handshaken = await handshakeAsClient(transport, { ...options.handshake, signal: within(HANDSHAKE_MS) }, mayProve)
    .catch((error: HandshakeError) => {
      transport.destroy();
      throw error;
    });
  const ended = Promise.withResolvers<Awaited<Link["ended"]>>();
  const goingAway = Promise.withResolvers<void>();
  const session = new Session(transport, {
    role: "client",
    now: options.now,
    onStream: options.onStream,
    onGoAway: goingAway.resolve,
    onEnd: ({ transport: { code, reason: said }, error }) => {
      // The reason comes from the Pod and is printed: it must stay on one line.
      const reason = said.replace(/\p{C}+/gu, " ");
      ended.resolve({ code, reason, why: error?.message ?? (reason === "" ? "the connection broke" : reason) });
    },
  });
  for (const message of handshaken.rest) session.receive(message);
  const watch = keepAlive(session);
  const close = () => session.close(1000, "the client leaves");
  options.signal.addEventListener("abort", close);
  // Never rejects: only onEnd settles it.
  void ended.promise.then(() => {
    watch.stop();
    options.signal.removeEventListener("abort", close);
  });
  return { session, watch, close, ended: ended.promise, goingAway: goingAway.promise };
}
