import type { Api } from "../../api/api.ts";
import { ApiError } from "../../api/api_error.ts";
import { ConnectionError } from "../../api/connection_error.ts";
import type { SessionPlan } from "../objects/session_plan.ts";
import { proxyTarget } from "./tunnel_dial.ts";

/**
 * Waits until the Pod has reached itself through its Service, as callers do: the Pod answers after two seconds at most. Errors are ignored,
 * because the question is a courtesy and the tunnel handles a network that fails now.
 */
export async function waitUntilReachable(api: Api, plan: SessionPlan, signal: AbortSignal): Promise<void> {
  const path = `/api/v1/namespaces/${plan.namespace}/services/${proxyTarget(plan.service)}/proxy/reachable`;
  try {
    await api.get(path, { signal, timeoutMs: 5_000 });
  } catch (error) {
    if (!(error instanceof ApiError || error instanceof ConnectionError)) throw error;
  }
}
