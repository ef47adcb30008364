/**
 * Checks whether the other side is still there. While idle, a ping is sent every 20 s, which also keeps load balancers from cutting the
 * connection. While something was sent and nothing came back, a ping is sent after a second, and 3 s without a byte is dead.
 *
 * @module
 */
import type { Session } from "./session.ts";

const IDLE_PING_MS = 20_000;
const WAITING_PING_MS = 1_000;
const DEAD_MS = 3_000;
/** How often the rule is applied; its decisions are late by this much at most. */
const TICK_MS = 250;

/** Pings at the start: a fresh process's first takes several times the path's round trip, and windows are sized by the shortest. */
const FIRST_PINGS = 3;

/** After the machine has slept an answer is due within this: the other side may have given up, or the network may have changed. */
const WOKEN_DEAD_MS = 1_500;

/**
 * The rule: what to do at this moment. All times are in milliseconds of one clock.
 * @param session see {@link Session}
 * @param pingedAt when the oldest unanswered ping left, if any
 */
export function afterSilence(
  now: number,
  { receivedAt, waitingSince }: Pick<Session, "receivedAt" | "waitingSince">,
  pingedAt: number | undefined,
): "ping" | "dead" | "wait" {
  if (pingedAt !== undefined && pingedAt >= receivedAt) {
    const silentSince = Math.min(waitingSince ?? pingedAt, pingedAt);
    return now - silentSince >= DEAD_MS && now - pingedAt >= DEAD_MS - WAITING_PING_MS ? "dead" : "wait";
  }
  const due = waitingSince === undefined ? now - receivedAt >= IDLE_PING_MS : now - waitingSince >= WAITING_PING_MS;
  return due ? "ping" : "wait";
}

/** Watches over a session. */
export interface KeepAlive {
  /** Asks the other side for an immediate answer, after this machine has slept. */
  suspect(): void;
  /** Ends the watch. */
  stop(): void;
}

/** Watches a session until it ends, and destroys it when the other side is dead. */
export function keepAlive(session: Session): KeepAlive {
  let pingedAt: number | undefined;
  // Never rejects: a ping without an answer never settles.
  void (async () => {
    for (let i = 0; i < FIRST_PINGS; i++) await session.ping();
  })();
  const silent = () => {
    session.destroy(new Error(`The other side has been silent for ${Math.round((session.now() - session.receivedAt) / 1000)} s`));
  };
  const timer = setInterval(() => {
    if (session.ended) return clearInterval(timer);
    const now = session.now();
    if (pingedAt !== undefined && session.receivedAt > pingedAt) pingedAt = undefined;
    const next = afterSilence(now, session, pingedAt);
    if (next === "dead") return silent();
    if (next === "wait") return;
    pingedAt = now;
    void session.ping();
  }, TICK_MS);
  let woken: ReturnType<typeof setTimeout> | undefined;
  return {
    suspect: () => {
      const since = session.now();
      void session.ping();
      clearTimeout(woken);
      woken = setTimeout(() => session.receivedAt > since || session.ended || silent(), WOKEN_DEAD_MS);
    },
    stop: () => {
      clearInterval(timer);
      clearTimeout(woken);
    },
  };
}
