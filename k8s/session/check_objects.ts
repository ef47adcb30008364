import { type Api, METADATA_ONLY } from "../api/api.ts";
import { ApiError } from "../api/api_error.ts";
import type { Service } from "../api/kubernetes_objects.ts";
import { sleep } from "../api/sleep.ts";
import { selectorOf } from "./objects/forward_objects.ts";
import { controlServiceName, type ForwardPlan, hasConfigMap, objectPath } from "./objects/session_plan.ts";
import { type ClusterSession, SessionGoneError } from "./session.ts";

/** How often the objects are looked at. Watching them would take a right that a session does not have. */
const CHECK_MS = 5_000;
/** An answer takes no longer than this, or the next look decides. */
const ANSWER_MS = 5_000;
/** This many refusals in a row are final: an API server that starts refuses until it has loaded the roles. */
const FINAL_REFUSALS = 5;

/** Somebody deleted or changed an object that the session cannot do without. The message says which and what. */
export class SessionBrokenError extends Error {
  override readonly name = "SessionBrokenError";
}

/**
 * Looks every five seconds whether a session's objects are still there and its Service still leads to kurun's Pod. Objects that the user
 * may not read are left out.
 * @throws SessionBrokenError if one is not, SessionGoneError if the whole session has ended
 */
export async function checkObjects(api: Api, session: ClusterSession<ForwardPlan>, signal: AbortSignal, everyMs = CHECK_MS): Promise<void> {
  const { plan } = session;
  const { namespace, service, name } = plan;
  const kinds = [
    ...[["Service", service], ["Service", controlServiceName(service)], ["Deployment", name], ["Secret", name]] as const,
    ...(hasConfigMap(plan) ? [["ConfigMap", name] as const] : []),
  ];
  const objects = kinds.map(([kind, name]) => ({ path: objectPath(kind, namespace, name), label: `${kind} ${name}`, refusals: 0 }));
  for (;;) {
    await sleep(everyMs, signal);
    const readable = objects.filter(({ refusals }) => refusals < FINAL_REFUSALS);
    const changes = await Promise.all(readable.map(async (object) => {
      try {
        const isUserService = object === objects[0];
        const accept = isUserService ? {} : { accept: METADATA_ONLY };
        const { body } = await api.get<Service>(object.path, { ...accept, signal, timeoutMs: ANSWER_MS });
        object.refusals = 0;
        const change = isUserService ? serviceChange(body, plan) : undefined;
        return body.metadata.deletionTimestamp ? `${object.label} was deleted` : change && `${object.label} ${change}`;
      } catch (error) {
        const status = error instanceof ApiError ? error.status : undefined;
        object.refusals = status === 403 ? object.refusals + 1 : 0;
        return status === 404 ? `${object.label} was deleted` : undefined;
      }
    }));
    const broken = changes.find((change) => change !== undefined);
    if (broken === undefined) continue;
    // If the whole session was deleted, this says so instead. Without an answer, the next look decides.
    const renewed = await session.renew(ANSWER_MS).then(() => true, (error) => {
      if (error instanceof SessionGoneError) throw error;
      return false;
    });
    if (renewed) throw new SessionBrokenError(broken);
  }
}

/** How the user's Service no longer leads to kurun's Pod. */
function serviceChange({ spec = {} }: Service, plan: ForwardPlan): string | undefined {
  const expected = selectorOf(plan);
  const selector = Object.entries(spec.selector ?? {});
  if (expected && (selector.length !== Object.keys(expected).length || selector.some(([key, value]) => expected[key] !== value))) {
    return "has another selector";
  }
  // Callers of a headless Service reach the Pod's own ports: the Service's ports do nothing.
  if (spec.clusterIP === "None") return undefined;
  for (const { name = "", port, targetPort, targetName } of plan.ports) {
    // One number may be a TCP port and a UDP port, as that of DNS is.
    const found = spec.ports?.find((candidate) => candidate.port === port && (candidate.protocol ?? "TCP") === "TCP");
    if (!found) return `no longer has port ${port}`;
    // A slice's ports are those of the same name; where the Service's ports lead is only for its own Pods.
    if (!expected && (found.name ?? "") !== name) return `has renamed port ${port} to "${found.name ?? ""}"`;
    const leadsTo = found.targetPort ?? port;
    if (expected && leadsTo !== targetPort && leadsTo !== targetName) return `maps port ${port} to another target port, ${leadsTo}`;
  }
  return undefined;
}
