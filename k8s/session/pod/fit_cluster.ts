import type { Api } from "../../api/api.ts";
import { ApiError, onStatus } from "../../api/api_error.ts";
import type { LimitRange, ResourceQuota } from "../../api/kubernetes_objects.ts";
import { IMAGE_USER } from "../../images/server_command.ts";
import { NO_UID, serverConfigMap } from "../objects/session_objects.ts";
import { type ForwardPlan, isRun, objectPath, type SessionPlan } from "../objects/session_plan.ts";
import { fitResources } from "./fit_resources.ts";

/**
 * Completes a plan with what depends on the cluster: the Pod's user, the object that contains the server, and a forwarding Pod's resources.
 * @throws as {@linkcode Api.get} does
 */
export async function fitCluster<Plan extends SessionPlan>(api: Api, plan: Plan, signal: AbortSignal): Promise<Plan> {
  const resources = isRun(plan) ? {} : podResources(api, plan, signal);
  const [user, serverIn, fitted] = await Promise.all([podUser(api, signal), serverPlace(api, plan, signal), resources]);
  return { ...plan, ...user, serverIn, ...fitted };
}

/** What the namespace's LimitRanges and quotas leave room for. Without the right to read them, the cluster's refusal tells. */
async function podResources(api: Api, { namespace, podPatch }: ForwardPlan, signal: AbortSignal): Promise<Pick<ForwardPlan, "resources">> {
  const list = <T>(resource: string) =>
    api.list<T>(`/api/v1/namespaces/${namespace}/${resource}`, { signal }).then(({ items }) => items, onStatus([403, 404], []));
  const [limitRanges, quotas] = await Promise.all([list<LimitRange>("limitranges"), list<ResourceQuota>("resourcequotas")]);
  return { resources: fitResources(limitRanges, quotas, String(podPatch?.priorityClassName ?? "")) };
}

/** Whether the cluster is OpenShift. @throws as {@linkcode Api.get} does */
export async function isOpenShift(api: Api, signal: AbortSignal): Promise<boolean> {
  return await api.get("/apis/security.openshift.io", { signal }).then(() => true).catch(onStatus([403, 404], false));
}

/** OpenShift gives each namespace a range of users and refuses all others, so it chooses. */
async function podUser(api: Api, signal: AbortSignal): Promise<{ readonly runAsUser?: number }> {
  return await isOpenShift(api, signal) ? {} : { runAsUser: IMAGE_USER };
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
