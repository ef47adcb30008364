import { connect } from "node:net";
import { setTimeout as pause } from "node:timers/promises";

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
  async isOwn(socket: { readonly destroyed: boolean; readonly bytesRead: number }): Promise<boolean> {
    if (this.#running === 0) return false;
    const until = performance.now() + PASSING_MS;
    while (performance.now() < until && !socket.destroyed && socket.bytesRead === 0) await pause(5);
    return socket.destroyed;
  }
}

async function reach(target: string, until: number): Promise<boolean> {
  while (performance.now() < until) {
    if (await connects(target, Math.min(TRY_MS, until - performance.now()))) return true;
    await pause(RETRY_MS);
  }
  return false;
}

function connects(target: string, ms: number): Promise<boolean> {
  const colon = target.lastIndexOf(":");
  return new Promise((resolve) => {
    const socket = connect({ host: target.slice(0, colon), port: Number(target.slice(colon + 1)) });
    const timer = setTimeout(() => socket.destroy(), ms);
    let reached = false;
    socket.once("connect", () => {
      reached = true;
      socket.resetAndDestroy();
    });
    socket.on("error", () => {});
    socket.once("close", () => {
      clearTimeout(timer);
      resolve(reached);
    });
  });
}
