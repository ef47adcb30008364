import { commonString } from "./glob_intersection.ts";
import type { Hook } from "./hook_configuration.ts";
import type { HookFilter } from "./hook_filter.ts";
import { readKind } from "./only_filter.ts";

/** A filter in words, such as "Pod named web-* in dev-* by alice"; empty if it matches all. The values are a user's, not escaped. */
export function describeFilter({ only, match }: HookFilter): string {
  const { kind, name, label, namespace, user } = only;
  const phrases = [
    kind?.join(" or "),
    name && `named ${name.join(" or ")}`,
    label && `with ${label.join(", ")}`,
    namespace && `in ${namespace.join(" or ")}`,
    user && `by ${user.join(" or ")}`,
    match && `where ${match}`,
  ];
  return phrases.filter((phrase) => phrase !== undefined).join(" ");
}

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

/**
 * The warning for a filter by user that leaves out what controllers create on the user's behalf: the ReplicaSet's controller creates a
 * Deployment's Pods, not whoever made the Deployment.
 *
 * @param hooks the webhooks that are served
 */
export function missesControllers({ only }: HookFilter, hooks: readonly Hook[]): string | undefined {
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

function hasAny(values: readonly string[] | undefined, ...wanted: readonly string[]): boolean {
  return wanted.some((value) => values?.includes(value));
}
