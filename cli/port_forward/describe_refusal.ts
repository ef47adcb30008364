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
      const [named, select, their] = refusal.others.length === 1 ? ["Service", "selects", "its"] : ["Services", "select", "their"];
      return `${named} ${refusal.others.join(", ")} in namespace ${namespace} ${select} the same Pods as Service ${service} ` +
        `(${labelSelector(refusal.selector)}): kurun's Pod would get ${their} callers too.\n` +
        `Give Service ${service} a selector that only its Pods match, or ${OTHER_NAME}`;
    }
    case "live": {
      const { pods, selector } = refusal;
      const more = pods.length > MAX_NAMED ? ` and ${pods.length - MAX_NAMED} more` : "";
      const scalable = workloads.filter((workload) => !/^(daemonset|job)\//.test(workload));
      const remove = scalable.length > 0
        ? `scale it down: kubectl scale ${scalable.join(" ")} --replicas=0 -n ${namespace}`
        : `remove them: kubectl get pods -n ${namespace} -l ${labelSelector(selector)}`;
      return `${where} has live Pods behind it: ${pods.slice(0, MAX_NAMED).join(", ")}${more}.\n` +
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

function describePresence(presence: Presence, until: string | undefined): string {
  if (presence.is === "connected") return "";
  if (presence.is === "unknown") return ` (its client is not connected, but was last seen at ${presence.seen})`;
  const end = until === undefined ? "stays until it is removed with kurun stop" : `ends at ${until} unless its client returns`;
  return ` (no client has been connected${presence.since ? ` since ${presence.since}` : ""}, and it ${end})`;
}

function labelSelector(selector: Readonly<Record<string, string>>): string {
  return Object.entries(selector).map(([key, value]) => `${key}=${value}`).join(",");
}
