/**
 * Whether the other side is still there. Idle: a ping every 20 s, which also keeps load balancers from cutting the connection. While
 * something was sent and nothing came back: a ping after a second, and no byte for 3 s is dead.
 *
 * @module
 */
import type { Session } from "./session.ts";

const IDLE_PING_MS = 20_000;
const WAITING_PING_MS = 1_000;
const DEAD_MS = 3_000;
/** How often the rule is asked: what it decides comes late by this much at most. */
const TICK_MS = 250;

/** Pings at the start: the first of a fresh process takes several times what the path does, and windows grow by the shortest. */
const FIRST_PINGS = 3;

/** After the machine has slept an answer is due within this: the other side has long given us up, or the network is another. */
const WOKEN_DEAD_MS = 1_500;

/** What is known of a session at one moment, in milliseconds of one clock. */
export interface Silence {
  readonly now: number;
  /** When the last byte arrived. */
  readonly receivedAt: number;
  /** When the first of a stream's bytes left that no byte has followed, if any. */
  readonly waitingSince: number | undefined;
  /** When the first ping left that nothing has answered, if any. */
  readonly pingedAt: number | undefined;
}

/** The rule: what to do now. */
export function afterSilence({ now, receivedAt, waitingSince, pingedAt }: Silence): "ping" | "dead" | "wait" {
  if (pingedAt !== undefined && pingedAt >= receivedAt) {
    const silentSince = Math.min(waitingSince ?? pingedAt, pingedAt);
    return now - silentSince >= DEAD_MS && now - pingedAt >= DEAD_MS - WAITING_PING_MS ? "dead" : "wait";
  }
  const due = waitingSince === undefined ? now - receivedAt >= IDLE_PING_MS : now - waitingSince >= WAITING_PING_MS;
  return due ? "ping" : "wait";
}

/** A watch over a session. */
export interface KeepAlive {
  /** Has the other side show at once that it is there, after this machine has slept. */
  suspect(): void;
  /** Ends the watch. */
  stop(): void;
}

/** Watches a session until it ends, and destroys it when it is dead. */
export function keepAlive(session: Session): KeepAlive {
  let pingedAt: number | undefined;
  measure(session, FIRST_PINGS);
  const silent = () => {
    session.destroy(new Error(`The other side has been silent for ${Math.round((session.now() - session.receivedAt) / 1000)} s`));
  };
  const timer = setInterval(() => {
    if (session.ended) return clearInterval(timer);
    const { receivedAt, waitingSince } = session;
    const now = session.now();
    if (pingedAt !== undefined && receivedAt > pingedAt) pingedAt = undefined;
    const next = afterSilence({ now, receivedAt, waitingSince, pingedAt });
    if (next === "ping") {
      pingedAt = now;
      session.ping();
    } else if (next === "dead") {
      silent();
    }
  }, TICK_MS);
  let woken: ReturnType<typeof setTimeout> | undefined;
  return {
    suspect: () => {
      const since = session.now();
      session.ping();
      clearTimeout(woken);
      woken = setTimeout(() => session.receivedAt > since || session.ended || silent(), WOKEN_DEAD_MS);
    },
    stop: () => {
      clearInterval(timer);
      clearTimeout(woken);
    },
  };
}

async function measure(session: Session, pings: number): Promise<void> {
  for (let i = 0; i < pings; i++) await session.ping();
}
