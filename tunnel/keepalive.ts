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

/** What is known of a session at one moment, in milliseconds of one clock. */
export interface Silence {
  readonly now: number;
  /** When the last byte arrived. */
  readonly receivedAt: number;
  /** When a stream's bytes last left. */
  readonly dataSentAt: number;
  /** When the first ping left that nothing has answered, if any. */
  readonly pingedAt: number | undefined;
}

/** The rule: what to do now. */
export function afterSilence({ now, receivedAt, dataSentAt, pingedAt }: Silence): "ping" | "dead" | "wait" {
  const waiting = dataSentAt > receivedAt;
  if (pingedAt !== undefined && pingedAt >= receivedAt) {
    const silentSince = waiting ? Math.min(dataSentAt, pingedAt) : pingedAt;
    return now - silentSince >= DEAD_MS && now - pingedAt >= DEAD_MS - WAITING_PING_MS ? "dead" : "wait";
  }
  const limit = waiting ? WAITING_PING_MS : IDLE_PING_MS;
  return now - receivedAt >= limit ? "ping" : "wait";
}

/** Watches a session until it ends, and destroys it when it is dead. @returns what stops the watch */
export function keepAlive(session: Session): () => void {
  let pingedAt: number | undefined;
  measure(session, FIRST_PINGS);
  const timer = setInterval(() => {
    if (session.ended) return clearInterval(timer);
    const now = session.now();
    if (pingedAt !== undefined && session.receivedAt > pingedAt) pingedAt = undefined;
    const next = afterSilence({ now, receivedAt: session.receivedAt, dataSentAt: session.dataSentAt, pingedAt });
    if (next === "ping") {
      pingedAt = now;
      session.ping();
    } else if (next === "dead") {
      session.destroy(new Error(`The other side has been silent for ${Math.round((now - session.receivedAt) / 1000)} s`));
    }
  }, TICK_MS);
  return () => clearInterval(timer);
}

async function measure(session: Session, pings: number): Promise<void> {
  for (let i = 0; i < pings; i++) await session.ping();
}
