import type { Api } from "../../api/api.ts";
import { ApiError, onStatus } from "../../api/api_error.ts";
import { IMAGE_USER } from "../../images/server_command.ts";
import { NO_UID, serverConfigMap } from "../objects/session_objects.ts";
import { objectPath, type SessionPlan } from "../objects/session_plan.ts";

/**
 * Completes a plan with what depends on the cluster: the Pod's user, and the object that contains the server.
 * @throws as {@linkcode Api.get} does
 */
export async function fitCluster<Plan extends SessionPlan>(api: Api, plan: Plan, signal: AbortSignal): Promise<Plan> {
  const [user, serverIn] = await Promise.all([podUser(api, signal), serverPlace(api, plan, signal)]);
  return { ...plan, ...user, serverIn };
}

/** OpenShift gives each namespace a range of users and refuses all others, so it chooses. */
async function podUser(api: Api, signal: AbortSignal): Promise<{ readonly runAsUser?: number }> {
  const isOpenShift = await api.get("/apis/security.openshift.io", { signal }).then(() => true).catch(onStatus([403, 404], false));
  return isOpenShift ? {} : { runAsUser: IMAGE_USER };
}

/** Answers that say nothing about the object: wrong credentials, no such namespace, or an API server that is too busy. */
const NO_REFUSALS = [401, 404, 429, 503, 504];

/** Asks by a dry run. The webhook that the session is going to serve may match ConfigMaps, and cannot answer before the session exists. */
async function serverPlace(api: Api, plan: SessionPlan, signal: AbortSignal): Promise<"ConfigMap" | "Secret"> {
  if (plan.server === undefined) return "ConfigMap";
  const query = { dryRun: "All" };
  return await api.create(objectPath("ConfigMap", plan.namespace), serverConfigMap(plan, NO_UID, ""), { query, signal })
    .then(() => "ConfigMap" as const, (error) => {
      if (error instanceof ApiError && !NO_REFUSALS.includes(error.status)) return "Secret" as const;
      throw error;
    });
}
