import { commonString } from "./glob_intersection.ts";
import type { Hook } from "./hook_configuration.ts";
import type { HookFilter } from "./hook_filter.ts";
import { readKind } from "./only_filter.ts";

/** What controllers create for users: group, resource, kind, and what to call it. */
const MADE_BY_CONTROLLERS = [
  ["", "pods", "Pod", "Pods of workloads"],
  ["apps", "replicasets", "ReplicaSet", "ReplicaSets"],
  ["apps", "controllerrevisions", "ControllerRevision", "ControllerRevisions"],
  ["batch", "jobs", "Job", "Jobs of CronJobs"],
  ["", "persistentvolumeclaims", "PersistentVolumeClaim", "PersistentVolumeClaims of StatefulSets"],
  ["", "endpoints", "Endpoints", "Endpoints"],
  ["discovery.k8s.io", "endpointslices", "EndpointSlice", "EndpointSlices"],
  ["", "serviceaccounts", "ServiceAccount", "the ServiceAccount of a namespace"],
  ["", "events", "Event", "Events"],
  ["events.k8s.io", "events", "Event", "Events"],
] as const;

/** Kubernetes' own controllers, with an account each or with one in common. */
const CONTROLLERS = ["system:serviceaccount:kube-system:*-controller", "system:kube-controller-manager"];

/** The warnings about a filter that does not do what its user may expect. @param hooks the webhooks that are served */
export function filterWarnings(filter: HookFilter, hooks: readonly Hook[]): string[] {
  return [...uncalled(filter, hooks), missesControllers(filter, hooks), failingMatch(filter, hooks)].filter((warning) =>
    warning !== undefined
  );
}

/** The warnings for resources that no webhook is called for; singular names (`deployment.apps`) cannot be told from custom resources'. */
function uncalled({ only }: HookFilter, hooks: readonly Hook[]): string[] {
  const rules = hooks.flatMap((hook) => hook.rules ?? []);
  return (only.kind ?? []).filter((value) => {
    const type = readKind(value);
    return "resource" in type &&
      !rules.some(({ apiGroups, resources }) =>
        hasAny(apiGroups, type.group ?? apiGroups?.[0] ?? "", "*") && resources?.some((rule) => {
          const [resource = "", subresource = ""] = rule.split("/");
          return hasAny([type.resource, "*"], resource) && (type.subresource === undefined || hasAny([type.subresource, "*"], subresource));
        })
      );
  }).map((value) => `--only kind=${value} matches nothing: none of these webhooks is called for that resource`);
}

/**
 * The warning for a filter by user that leaves out what controllers create on the user's behalf: the ReplicaSet's controller creates a
 * Deployment's Pods, not whoever made the Deployment.
 */
function missesControllers({ only }: HookFilter, hooks: readonly Hook[]): string | undefined {
  const { user } = only;
  if (user === undefined || commonString([user, CONTROLLERS], { minLength: 1, maxLength: 1_000 })) return undefined;
  const kinds = only.kind?.map(readKind);
  const rules = hooks.flatMap((hook) => hook.rules ?? []).filter(({ operations }) => hasAny(operations, "CREATE", "*"));
  const missed = MADE_BY_CONTROLLERS.filter(([group, resource, kind]) =>
    rules.some(({ apiGroups, resources }) => hasAny(apiGroups, group, "*") && hasAny(resources, resource, "*", "*/*")) &&
    (kinds?.some((type) =>
      (type.group ?? group) === group && ("kind" in type ? type.kind === kind : type.resource === resource && !type.subresource)
    ) ?? true)
  );
  if (missed.length === 0) return undefined;
  const names = [...new Set(missed.map(([, , , name]) => name))];
  return `--only user= leaves out what controllers create: ${names.join(", ")}; use namespace= or label= to include them`;
}

/** The warning for a `--match` that fails for some requests, as far as its text shows: the API server then refuses them, whoever made them. */
function failingMatch({ match = "" }: HookFilter, hooks: readonly Hook[]): string | undefined {
  const rules = hooks.flatMap((hook) => hook.rules ?? []);
  const unset = ["labels", "annotations"].find((field) =>
    new RegExp(`\\.${field}\\b`).test(match) && !new RegExp(`has\\([^()]*\\.${field}\\b`).test(match)
  );
  const isDeleted = rules.some(({ operations }) => hasAny(operations, "DELETE", "*")) && /(?<![.\w])object\./.test(match) &&
    !/(?<![.\w])object\s*[!=]=|request\.operation/.test(match);
  const [when, test] = isDeleted
    ? ["for DELETE, where object is null", "object != null"]
    : [`for objects without ${unset}`, `has(object.metadata.${unset})`];
  if (!isDeleted && unset === undefined) return undefined;
  return `--match fails ${when}, and the API server refuses requests for which it fails, everyone's; begin it with ${test} &&`;
}

function hasAny(values: readonly string[] | undefined, ...wanted: readonly string[]): boolean {
  return wanted.some((value) => values?.includes(value));
}
