import type { Api } from "../../api/api.ts";
import { ApiError } from "../../api/api_error.ts";
import { ConnectionError } from "../../api/connection_error.ts";
import { proxyTarget } from "../dial/tunnel_dial.ts";
import type { SessionOwner } from "./session_owner.ts";

/** A Pod that is there answers in milliseconds. */
const ANSWER_MS = 2_000;
/** A client moves its session's deadline at least every 30 s, connected or not; 10 s more allow for a slow network. */
const RENEWED_WITHIN_MS = 30_000 + 10_000;

/** The answer of the server in the Pod: since when, ISO 8601, or null if no client has ever connected to this Pod. */
export interface ClientAnswer {
  readonly connected: boolean;
  readonly since: string | null;
}

/** Whether a session's client is there, or may be. */
export type Presence =
  | { readonly is: "connected"; readonly since: string }
  /** Since when, ISO 8601; empty if the Pod cannot say. */
  | { readonly is: "away"; readonly since: string }
  /** Not connected, or not known, but seen so recently that it is probably running: it is starting or reconnecting. */
  | { readonly is: "unknown"; readonly seen: string };

/**
 * Asks a session's Pod whether a client is connected, through the API server's service proxy as the tunnel does.
 * @returns undefined if it cannot be asked: no Pod, no right, or no answer in time
 * @throws {ConnectionError} if the signal ends it
 */
export async function askClient(api: Api, namespace: string, service: string, signal: AbortSignal): Promise<ClientAnswer | undefined> {
  const path = `/api/v1/namespaces/${namespace}/services/${proxyTarget(service)}/proxy/client`;
  try {
    const { body: { connected, since } } = await api.get<Partial<ClientAnswer>>(path, { signal, timeoutMs: ANSWER_MS });
    return typeof connected === "boolean" ? { connected, since: typeof since === "string" ? since : null } : undefined;
  } catch (error) {
    const ended = error instanceof ConnectionError && error.kind === "aborted";
    if (ended || !(error instanceof ApiError || error instanceof ConnectionError)) throw error;
    return undefined;
  }
}

/**
 * Judges whether the client is there. The Pod's answer comes first. "Not connected" is not conclusive if the deadline was moved after
 * the connection ended: then a client is running and reconnecting, or another one has just adopted the session. The deadline alone
 * decides before any client has connected, and if the Pod cannot be asked.
 * @param answer undefined if the Pod could not be asked
 * @param now by the cluster's clock
 */
export function judgePresence(answer: ClientAnswer | undefined, session: Pick<SessionOwner, "seen">, now: Date): Presence {
  if (answer?.connected) return { is: "connected", since: answer.since ?? "" };
  const { seen = "" } = session;
  const leftAt = Date.parse(answer?.since ?? "");
  // The deadline is moved by the API server's Date header, which has whole seconds and is never ahead: a move before the end is not after it.
  if (!isOverdue(session, now) && !(leftAt >= Date.parse(seen))) return { is: "unknown", seen };
  return { is: "away", since: answer?.since ?? "" };
}

/** Whether a session's client has missed its time to move the deadline. */
export function isOverdue({ seen = "" }: Pick<SessionOwner, "seen">, now: Date): boolean {
  return !(now.getTime() - Date.parse(seen) < RENEWED_WITHIN_MS);
}
