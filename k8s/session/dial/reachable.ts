import type { Api } from "../../api/api.ts";
import { ApiError } from "../../api/api_error.ts";
import { ConnectionError } from "../../api/connection_error.ts";
import type { SessionPlan } from "../objects/session_objects.ts";
import { proxyTarget } from "./tunnel_dial.ts";

/** Waits, for two seconds at most, until the Pod has seen that callers reach it by its Service. A server that cannot tell is no error. */
export async function waitUntilReachable(api: Api, plan: SessionPlan, signal: AbortSignal): Promise<void> {
  const path = `/api/v1/namespaces/${plan.namespace}/services/${proxyTarget(plan.service)}/proxy/reachable`;
  try {
    await api.get(path, { signal, timeoutMs: 5_000 });
  } catch (error) {
    // The question is a courtesy: a network that blinks now is the link's to mend.
    if (!(error instanceof ApiError || error instanceof ConnectionError)) throw error;
  }
}
