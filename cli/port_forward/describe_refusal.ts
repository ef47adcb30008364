import type { ServiceRefusedError } from "../../k8s/session/service/claim_service.ts";
import type { Presence } from "../../k8s/session/owner/client_presence.ts";
import { SESSION_LABEL } from "../../k8s/session/objects/session_plan.ts";

const OTHER_NAME = "choose another name with --servicename";
/** This many Pods are named; the others are counted. */
const MAX_NAMED = 3;

/** Says why a Service cannot be used, and what to do. */
export function describeRefusal({ refusal, service, namespace, workloads }: ServiceRefusedError): string {
  const where = `Service ${service} in namespace ${namespace}`;
  switch (refusal.is) {
    case "in-use": {
      const { who, from, since, upstream, until } = refusal.session;
      const state = describePresence(refusal.presence, until);
      return refusal.mine
        ? `you are already running this: ${where} has forwarded to ${upstream} on ${from} since ${since}${state}. ` +
          `End it (kurun stop ${service} -n ${namespace}), replace it with --takeover, or ${OTHER_NAME}`
        : `${where} has been used by ${who} on ${from} since ${since}, for ${upstream}${state}. ` +
          `Ask ${who} to end it, ${OTHER_NAME}, or take it over with --takeover`;
    }
    case "orphan":
      return `${where} was left by an earlier kurun, and nothing will remove it. Delete it: ` +
        `kubectl delete services,deployments,secrets,configmaps -n ${namespace} -l ${SESSION_LABEL}=${refusal.session}`;
    case "control-name":
      return `Service ${refusal.control} in namespace ${namespace} does not belong to kurun, which needs this name: ${OTHER_NAME}`;
    case "external-name":
      return `${where} is an ExternalName for ${refusal.target} and has no Pods: ${OTHER_NAME}`;
    case "no-selector":
      return `${where} has no selector, so kurun's Pod cannot join it (its endpoints are set by hand): ${OTHER_NAME}`;
    case "no-tcp":
      return `${where} has no TCP port, and kurun serves only TCP: ${OTHER_NAME}`;
    case "no-such-port":
      return `${where} has no TCP port ${refusal.port}, only ${refusal.ports.join(", ")}: omit --serviceport to serve all its ports`;
    case "shared": {
      const { others, labels, joins } = refusal;
      const [named, select] = others.length === 1 ? [`Service ${others[0]}`, "selects"] : [`Services ${others.join(", ")}`, "select"];
      const whose = others.length > 0
        ? `${named} in namespace ${namespace} ${select}`
        : "Other Services, which you may not list, may select";
      const right = `Ask for the right to create and patch endpointslices.discovery.k8s.io in namespace ${namespace} (kurun doctor --rbac)`;
      return `${whose} Pods with the labels ${labelSelector(labels)}: with them, kurun's Pod would get their callers too.\n` +
        (joins ? `${right}, so that kurun joins Service ${service} alone, or ${OTHER_NAME}` : "Use other labels (--label)");
    }
    case "live": {
      const { pods, selector } = refusal;
      const scalable = workloads.filter((workload) => !/^(daemonset|job)\//.test(workload));
      const remove = scalable.length > 0
        ? `scale it down: kubectl scale ${scalable.join(" ")} --replicas=0 -n ${namespace}`
        : `remove them: kubectl get pods -n ${namespace} -l ${labelSelector(selector)}`;
      return `${where} has live Pods behind it: ${shortList(pods)}.\n` +
        `If these are what you want to replace, ${remove}\n` +
        `If not, the selector ${labelSelector(selector)} matches more than your program: give the Service a narrower one, or ${OTHER_NAME}`;
    }
    case "stuck": {
      const [are, their] = refusal.going.length === 1 ? ["is", "its"] : ["are", "their"];
      return `${refusal.going.join(", ")} in namespace ${namespace} ${are} still being deleted after ${refusal.seconds} s. ` +
        `Check ${their} finalizers (kubectl get -o yaml), or ${OTHER_NAME}`;
    }
  }
}

/** Pods by name, as many as can be read. */
export function shortList(pods: readonly string[]): string {
  return `${pods.slice(0, MAX_NAMED).join(", ")}${pods.length > MAX_NAMED ? ` and ${pods.length - MAX_NAMED} more` : ""}`;
}

function describePresence(presence: Presence, until: string | undefined): string {
  if (presence.is === "connected") return "";
  if (presence.is === "unknown") return ` (its client was last seen at ${presence.seen})`;
  const end = until === undefined ? "stays until it is removed with kurun stop" : `ends at ${until} unless its client returns`;
  return ` (no client has been connected${presence.since ? ` since ${presence.since}` : ""}, and it ${end})`;
}

function labelSelector(selector: Readonly<Record<string, string>>): string {
  return Object.entries(selector).map(([key, value]) => `${key}=${value}`).join(",");
}
