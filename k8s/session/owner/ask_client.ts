import type { Api } from "../../api/api.ts";
import { ApiError } from "../../api/api_error.ts";
import type { ClientAnswer } from "./client_presence.ts";
import { ConnectionError } from "../../api/connection_error.ts";
import { proxyTarget } from "../dial/tunnel_dial.ts";

/** The Pod answers in milliseconds, or is not there. */
const ANSWER_MS = 2_000;

/**
 * Asks a session's Pod whether a client is connected, by the API server's service proxy as the tunnel goes.
 * @returns undefined where it cannot be asked: no Pod, no right, no answer within two seconds
 */
export async function askClient(api: Api, namespace: string, service: string, signal: AbortSignal): Promise<ClientAnswer | undefined> {
  const path = `/api/v1/namespaces/${namespace}/services/${proxyTarget(service)}/proxy/client`;
  try {
    const { connected, since } = (await api.get(path, { signal, timeoutMs: ANSWER_MS })).body as Partial<ClientAnswer>;
    return typeof connected === "boolean" ? { connected, since: typeof since === "string" ? since : null } : undefined;
  } catch (error) {
    const ended = error instanceof ConnectionError && error.kind === "aborted";
    if (ended || !(error instanceof ApiError || error instanceof ConnectionError)) throw error;
    return undefined;
  }
}
