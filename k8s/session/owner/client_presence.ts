/**
 * Whether a session's client is there. Pure: what the Pod and the Job say in, a judgement out.
 *
 * @module
 */
import type { SessionOwner } from "./session_owner.ts";

/** A client moves its session's deadline at least every 30 s, whether its tunnel stands or not; so much more may pass on the way. */
const RENEWED_WITHIN_MS = 30_000 + 10_000;

/** What the server in the Pod says. */
export interface ClientAnswer {
  readonly connected: boolean;
  /** Since when, ISO 8601; null where no client has ever connected to this Pod. */
  readonly since: string | null;
}

/** Whether a session's client is there, or may be. */
export type Presence =
  | { readonly is: "connected"; readonly since: string }
  /** Since when, ISO 8601; empty where the Pod cannot say. */
  | { readonly is: "away"; readonly since: string }
  /** It is not connected, or nobody can tell, but it showed itself so lately that it most likely lives: it starts, or dials again. */
  | { readonly is: "unknown"; readonly seen: string };

/**
 * Judges by the Pod's word first. That nobody is connected is not the whole truth where the deadline was moved after the connection went:
 * then a client lives and dials, or another has just adopted the session. So it is too before any client has connected, and where the Pod
 * cannot be asked: then the deadline alone tells.
 * @param answer undefined where the Pod could not be asked
 * @param now by the cluster's clock
 */
export function judgePresence(answer: ClientAnswer | undefined, session: Pick<SessionOwner, "seen">, now: Date): Presence {
  if (answer?.connected) return { is: "connected", since: answer.since ?? "" };
  const seen = session.seen ?? "";
  const seenAt = Date.parse(seen);
  const lately = now.getTime() - seenAt < RENEWED_WITHIN_MS;
  const left = Date.parse(answer?.since ?? "");
  // The time of the last move is that of the API server's answers, whole seconds and never ahead: a move before the end is not after it.
  if (lately && !(left >= seenAt)) return { is: "unknown", seen };
  return { is: "away", since: answer?.since ?? "" };
}

/** Whether a session's client has missed its time to move the deadline. */
export function isOverdue(session: Pick<SessionOwner, "seen">, now: Date): boolean {
  return !(now.getTime() - Date.parse(session.seen ?? "") < RENEWED_WITHIN_MS);
}
