import { OwnSockets } from "../net/own_sockets.ts";
import { pause } from "../net/timing.ts";

/** A node's proxy rules follow a Pod's readiness within a second or two; after this the answer is no. */
const LIMIT_MS = 2_000;
const RETRY_MS = 20;
/** A connection that begins while a node's rules change may hang forever; another one is begun after this. */
const TRY_MS = 250;
/** The check's own connection arrives at the request port and is closed within this. */
const PASSING_MS = 100;

/**
 * Checks whether callers in the cluster already reach this Pod through its Services. Readiness cannot tell: the nodes' proxies learn of
 * it later (under load by a second, in which callers were still refused).
 */
export class ReachCheck {
  readonly #targets: readonly string[];
  #running = 0;
  #current: Promise<boolean> | undefined;

  /** @param targets `NAME.NAMESPACE.svc:PORT` each */
  constructor(targets: readonly string[]) {
    this.#targets = targets;
  }

  /**
   * Connects to every target until it answers. Calls meanwhile share the answer: anybody in the cluster may ask, as often as they like.
   * @returns whether all did within 2 s
   */
  run(): Promise<boolean> {
    return this.#current ??= this.#reachAll().finally(() => this.#current = undefined);
  }

  async #reachAll(): Promise<boolean> {
    this.#running++;
    try {
      const until = performance.now() + LIMIT_MS;
      return (await Promise.all(this.#targets.map((target) => reach(target, until)))).every(Boolean);
    } finally {
      setTimeout(() => this.#running--, PASSING_MS);
    }
  }

  /** Whether a caller that has just connected belongs to a running check, which closes immediately; the client must not see it. */
  async isOwn(look: () => "sent" | "gone" | "silent"): Promise<boolean> {
    if (this.#running === 0) return false;
    const until = performance.now() + PASSING_MS;
    while (performance.now() < until && look() === "silent") await pause(5);
    return look() === "gone";
  }
}

async function reach(target: string, until: number): Promise<boolean> {
  while (performance.now() < until) {
    if (await connects(target, Math.min(TRY_MS, until - performance.now()))) return true;
    await pause(RETRY_MS);
  }
  return false;
}

async function connects(target: string, ms: number): Promise<boolean> {
  const colon = target.lastIndexOf(":");
  const signal = AbortSignal.timeout(ms);
  try {
    const socket = await Deno.connect({ hostname: target.slice(0, colon), port: Number(target.slice(colon + 1)), signal });
    // A caller that has sent nothing ends its direction, but resets nothing.
    new OwnSockets().take(socket)?.reset();
    socket.close();
    return true;
  } catch {
    return false;
  }
}
