import type { Transport } from "../../../tunnel/mod.ts";
import { IdleConnections } from "../../api/http1.ts";
import { sleep } from "../../api/sleep.ts";
import { askByPod, askByService, dialByPod, dialByService, type DialedSession, runningPod } from "./tunnel_dial.ts";

/** How the tunnel reaches the Pod: through the API server's service proxy, or through the Pod's kubelet. */
export type TunnelWay = "service" | "pod";

/** Options of a {@linkcode TunnelDialer}. */
export interface TunnelDialerOptions extends Omit<DialedSession, "refused"> {
  /** The ways to try, the preferred one first. */
  readonly ways: readonly TunnelWay[];
  /** Settles when the Pod has an address: before that no way can work. */
  readonly addressed: Promise<void>;
  /** Called when the other way has worked. @param why what was wrong with the one before */
  readonly onSwitch: (way: TunnelWay, why: string) => void;
  /** Ends all attempts. */
  readonly signal: AbortSignal;
}

/** The other way is tried when the preferred one has not worked for twice this long. A server that starts takes less. */
const HEAD_START_MS = 1_500;
const DIAL_MS = 10_000;
const REACHABLE_MS = 5_000;

/** An attempt by the other way, which outlives the dials that it stands by. */
interface OtherAttempt {
  readonly opened: Promise<Transport>;
  readonly stop: AbortController;
}

/** Opens tunnels to a session's Pod, by the way that worked last; if that does not work any more, by the other one too. */
export class TunnelDialer {
  readonly #options: TunnelDialerOptions & DialedSession;
  #ways: readonly TunnelWay[];
  #other: OtherAttempt | undefined;
  /** What was wrong with the last dial by the preferred way. */
  #why = "no answer";

  constructor(options: TunnelDialerOptions) {
    this.#options = { ...options, refused: new IdleConnections() };
    this.#ways = options.ways;
  }

  /** Opens a tunnel. @throws {ApiError} with a refusal, {ConnectionError} if there is no answer, by the preferred way */
  async dial(signal: AbortSignal): Promise<Transport> {
    const [way, otherWay] = this.#ways as [TunnelWay, TunnelWay?];
    const stop = new AbortController();
    const preferred = this.#open(way, AbortSignal.any([signal, stop.signal]));
    if (otherWay === undefined) return await preferred;
    const other = this.#other ??= this.#tryOther(otherWay);
    let over = false;
    const taken = other.opened.then((transport) => {
      // This dial has failed meanwhile, another one has taken it, or it came too late.
      if (over || this.#other !== other) return new Promise<never>(() => {});
      this.#other = undefined;
      this.#ways = [otherWay, way];
      stop.abort();
      preferred.then((late) => late.destroy(), () => {});
      this.#options.onSwitch(otherWay, this.#why);
      return transport;
    }, () => new Promise<never>(() => {}));
    try {
      const transport = await Promise.race([preferred, taken]);
      this.#abandonOther();
      return transport;
    } catch (error) {
      if (!signal.aborted) this.#why = (error as Error).message;
      throw error;
    } finally {
      over = true;
    }
  }

  /**
   * Waits until the Pod has reached itself through its Service, as callers do, by the way that worked last. It answers after two seconds at
   * most. Errors are ignored.
   */
  async reachable(signal: AbortSignal): Promise<void> {
    const ask = this.#ways[0] === "pod" ? askByPod : askByService;
    await ask(this.#options, "/reachable", AbortSignal.any([signal, AbortSignal.timeout(REACHABLE_MS)])).catch(() => {});
  }

  #open(way: TunnelWay, signal: AbortSignal): Promise<Transport> {
    return (way === "pod" ? dialByPod : dialByService)(this.#options, signal);
  }

  #tryOther(way: TunnelWay): OtherAttempt {
    const stop = new AbortController();
    const signal = AbortSignal.any([this.#options.signal, stop.signal]);
    const attempt = async () => {
      await this.#options.addressed;
      await sleep(HEAD_START_MS, signal);
      // The preferred way gets its chance with a Pod that has just started, too.
      if (way === "pod") await runningPod(this.#options, signal);
      await sleep(HEAD_START_MS, signal);
      return await this.#open(way, AbortSignal.any([signal, AbortSignal.timeout(DIAL_MS)]));
    };
    const other = { opened: attempt(), stop };
    other.opened.catch(() => {
      if (this.#other === other) this.#other = undefined;
    });
    return other;
  }

  /** Closes what refusals have left. */
  [Symbol.dispose](): void {
    this.#options.refused.close();
    this.#abandonOther();
  }

  #abandonOther(): void {
    const other = this.#other;
    this.#other = undefined;
    other?.stop.abort();
    other?.opened.then((late) => late.destroy(), () => {});
  }
}
