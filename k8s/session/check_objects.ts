import type { Api } from "../api/api.ts";
import { ApiError } from "../api/api_error.ts";
import type { Service } from "../api/kubernetes_objects.ts";
import { sleep } from "../api/sleep.ts";
import { controlServiceName, type ForwardPlan, SESSION_LABEL } from "./objects/session_plan.ts";
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
  let objects = watchedObjects(plan).map((object) => ({ ...object, refusals: 0 }));
  for (;;) {
    await sleep(everyMs, signal);
    const found = await Promise.all(objects.map(({ path, judge }) => look(api, path, judge, signal)));
    const broken = objects.flatMap(({ label }, index) => found[index]?.change ? [`${label} ${found[index].change}`] : [])[0];
    if (broken !== undefined) {
      // If the whole session was deleted, this says so instead. Without an answer, the next look decides.
      const renewed = await session.renew(ANSWER_MS).then(() => true, (error) => {
        if (error instanceof SessionGoneError) throw error;
        return false;
      });
      if (renewed) throw new SessionBrokenError(broken);
    }
    objects = objects.filter((object, index) => {
      object.refusals = found[index]?.hidden ? object.refusals + 1 : 0;
      return object.refusals < FINAL_REFUSALS;
    });
  }
}

interface WatchedObject {
  readonly label: string;
  readonly path: string;
  /** @returns how the object was changed; undefined if it still does what the session needs */
  readonly judge?: (object: Service) => string | undefined;
}

function watchedObjects(plan: ForwardPlan): WatchedObject[] {
  const core = `/api/v1/namespaces/${plan.namespace}`;
  return [
    { label: `Service ${plan.service}`, path: `${core}/services/${plan.service}`, judge: (service) => serviceChange(service, plan) },
    { label: `Service ${controlServiceName(plan.service)}`, path: `${core}/services/${controlServiceName(plan.service)}` },
    { label: `Deployment ${plan.name}`, path: `/apis/apps/v1/namespaces/${plan.namespace}/deployments/${plan.name}` },
    { label: `Secret ${plan.name}`, path: `${core}/secrets/${plan.name}` },
  ];
}

/** @returns what happened to an object; whether it may not be read now; undefined if it is unchanged, or cannot be reached now */
async function look(
  api: Api,
  path: string,
  judge: ((object: Service) => string | undefined) | undefined,
  signal: AbortSignal,
): Promise<{ change?: string | undefined; hidden?: boolean } | undefined> {
  try {
    const { body: object } = await api.get<Service>(path, { signal, timeoutMs: ANSWER_MS });
    return { change: object.metadata.deletionTimestamp ? "was deleted" : judge?.(object) };
  } catch (error) {
    if (!(error instanceof ApiError)) return undefined;
    return { change: error.status === 404 ? "was deleted" : undefined, hidden: error.status === 403 };
  }
}

/** How the user's Service no longer leads to kurun's Pod. */
function serviceChange({ spec = {} }: Service, plan: ForwardPlan): string | undefined {
  const expected: Readonly<Record<string, string>> = plan.joined?.selector ?? { [SESSION_LABEL]: plan.name };
  const selector = Object.entries(spec.selector ?? {});
  if (selector.length !== Object.keys(expected).length || selector.some(([key, value]) => expected[key] !== value)) {
    return "has another selector";
  }
  // Callers of a headless Service reach the Pod's own ports: the Service's ports do nothing.
  if (spec.clusterIP === "None") return undefined;
  for (const { port, targetPort, targetName } of plan.ports) {
    // One number may be a TCP port and a UDP port, as that of DNS is.
    const found = spec.ports?.find((candidate) => candidate.port === port && (candidate.protocol ?? "TCP") === "TCP");
    if (!found) return `no longer has port ${port}`;
    const leadsTo = found.targetPort ?? port;
    if (leadsTo !== targetPort && leadsTo !== targetName) {
      return `maps port ${port} to another target port, ${leadsTo}`;
    }
  }
  return undefined;
}
