/**
 * ApplySets (KEP-3659) record which objects were applied together, so that those no longer applied can be deleted. The parent object records
 * the kinds and namespaces of the members, and each member has a label. Everything is as kubectl writes it, so kubectl can continue a set.
 */

import { createHash } from "node:crypto";
import type { Api } from "../api/api.ts";
import { onStatus } from "../api/api_error.ts";
import type { Live, Metadata } from "../api/kubernetes_objects.ts";
import type { PlannedObject } from "./apply_plan.ts";
import { type ApiResource, type ApiResources, apiVersionOf, collectionPath } from "./discovery.ts";
import { type ObjectBody, objectLabel } from "./manifest_objects.ts";

/** The label of a member. Its value is the set's id. */
const PART_OF_LABEL = "applyset.kubernetes.io/part-of";
const ID_LABEL = "applyset.kubernetes.io/id";
const TOOLING = "applyset.kubernetes.io/tooling";
const KINDS = "applyset.kubernetes.io/contains-group-kinds";
const NAMESPACES = "applyset.kubernetes.io/additional-namespaces";

/** The program that may change the set: kubectl refuses the sets of others. This is the kubectl whose rules apply here. */
const TOOL = "kubectl/v1.34.4";

/** The parent object of a set. */
export interface ApplySetParent {
  readonly kind: "Secret" | "ConfigMap";
  readonly name: string;
  readonly namespace: string;
}

/** The kinds and namespaces that members may be in. */
export interface ApplySetScope {
  /** `Deployment.apps`, or `Service` in the core. */
  readonly kinds: ReadonlySet<string>;
  readonly namespaces: ReadonlySet<string>;
}

/** A parent cannot be used. The message says why. */
export class ApplySetError extends Error {
  override readonly name = "ApplySetError";
}

/** Reads the value of `--applyset`: NAME, secrets/NAME or configmaps/NAME. */
export function applySetParent(text: string, namespace: string): ApplySetParent {
  const [, resource, name = text] = /^([a-z]+)\/(.*)$/.exec(text) ?? [];
  return { kind: resource?.startsWith("configmap") ? "ConfigMap" : "Secret", name, namespace };
}

/** The path of a parent in the API. */
export function parentPath({ kind, name, namespace }: ApplySetParent): string {
  return `/api/v1/namespaces/${encodeURIComponent(namespace)}/${kind === "Secret" ? "secrets" : "configmaps"}/${encodeURIComponent(name)}`;
}

/** The id of a set, made from its parent's name, namespace, kind and group. */
export function applySetId({ kind, name, namespace }: ApplySetParent): string {
  const hash = createHash("sha256").update(`${name}.${namespace}.${kind}.`).digest("base64url");
  return `applyset-${hash}-v1`;
}

/** The scope of the objects to apply. */
export function scopeOf(planned: readonly PlannedObject[]): ApplySetScope {
  return {
    kinds: new Set(planned.map(({ resource }) => groupKindOf(resource))),
    namespaces: new Set(planned.flatMap(({ namespace }) => namespace ?? [])),
  };
}

/** `Deployment.apps`, or `Service` in the core. */
function groupKindOf({ group, kind }: ApiResource): string {
  return group === "" ? kind : `${kind}.${group}`;
}

/** The parent object to apply, with the scope of its members. */
export function parentBody(parent: ApplySetParent, { kinds, namespaces }: ApplySetScope): ObjectBody {
  const { kind, name, namespace } = parent;
  return {
    apiVersion: "v1",
    kind,
    metadata: {
      name,
      namespace,
      labels: { [ID_LABEL]: applySetId(parent) },
      annotations: {
        [TOOLING]: TOOL,
        [KINDS]: [...kinds].sort().join(","),
        [NAMESPACES]: [...namespaces].filter((other) => other !== namespace).sort().join(","),
      },
    },
  };
}

/** Reads the scope of the members from a parent in the cluster. @throws ApplySetError if it is not a parent, or another program's */
export function readScope(parent: ApplySetParent, { metadata }: { readonly metadata: Metadata }): ApplySetScope {
  const { labels = {}, annotations = {} } = metadata;
  const what = `${parent.kind} ${parent.name} in namespace ${parent.namespace}`;
  const tooling = annotations[TOOLING];
  if (tooling === undefined) throw new ApplySetError(`${what} exists and is not a set: choose another name`);
  const tool = tooling.replace(/\/[^/]*$/, "");
  if (tool !== "kubectl") throw new ApplySetError(`the set in ${what} belongs to ${tool}: use that program, or choose another name`);
  const id = applySetId(parent);
  if (labels[ID_LABEL] !== id) {
    throw new ApplySetError(`${what} has the wrong label ${ID_LABEL}: ${labels[ID_LABEL] ?? "none"}, expected ${id}`);
  }
  const kinds = annotations[KINDS];
  if (kinds === undefined) throw new ApplySetError(`${what} does not say which kinds the set has: it lacks the annotation ${KINDS}`);
  const namespaces = annotations[NAMESPACES] ?? "";
  return {
    kinds: new Set(kinds.split(",").filter((kind) => kind !== "")),
    namespaces: new Set([parent.namespace, ...namespaces.split(",").filter((namespace) => namespace !== "")]),
  };
}

/** The object with the label of a set's member. */
export function asMember(object: PlannedObject, id: string): PlannedObject {
  const { body } = object;
  return { ...object, body: { ...body, metadata: { ...body.metadata, labels: { ...body.metadata.labels, [PART_OF_LABEL]: id } } } };
}

/** Whether an object names its set by itself. */
export function saysPart({ body }: PlannedObject): boolean {
  return body.metadata.labels?.[PART_OF_LABEL] !== undefined;
}

/** Kinds that hold data or other objects. They are never deleted just because a file is missing. */
const NEVER_PRUNED = new Set([
  "Namespace",
  "PersistentVolume",
  "PersistentVolumeClaim",
  "CustomResourceDefinition.apiextensions.k8s.io",
]);

/** kubectl's manager for parents, so that its own changes do not conflict. */
const FIELD_MANAGER = "kubectl-applyset";

/** A member that is no longer applied. */
export interface Orphan {
  readonly label: string;
  /** Undefined if its kind has no namespaces. */
  readonly namespace: string | undefined;
  readonly path: string;
  readonly uid: string;
  /** Whether it stays anyway, because its kind is never pruned. */
  readonly kept: boolean;
}

/** The scope of a set's members; undefined if there is no such set. @throws ApplySetError if its parent is something else */
export async function readParent(api: Api, parent: ApplySetParent, signal: AbortSignal): Promise<ApplySetScope | undefined> {
  const live = await api.find<Live>(parentPath(parent), { signal });
  return live && readScope(parent, live.body);
}

/** Records the scope of the members: before applying where they may be, afterwards where they are. */
export async function writeParent(api: Api, parent: ApplySetParent, scope: ApplySetScope, signal: AbortSignal): Promise<void> {
  await api.apply(parentPath(parent), parentBody(parent, scope), { fieldManager: FIELD_MANAGER, force: true, signal });
}

/**
 * Finds members whose uids are not among the applied ones, and kinds that no longer exist in the cluster.
 * @throws ApplySetError if the API server of a kind does not answer: its members would be forgotten; also as {@linkcode Api.request} does
 */
export async function findOrphans(
  api: Api,
  parent: ApplySetParent,
  scope: ApplySetScope,
  resources: ApiResources,
  applied: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<{ orphans: Orphan[]; gone: string[] }> {
  const orphans: Orphan[] = [];
  const gone: string[] = [];
  for (const groupKind of [...scope.kinds].sort()) {
    const resource = resources.all.find((one) => groupKindOf(one) === groupKind);
    if (!resource) {
      const group = groupKind.slice(groupKind.indexOf(".") + 1);
      if (resources.silentGroups.includes(group)) {
        throw new ApplySetError(`the set ${parent.name} has ${groupKind}, and the API server of ${group} does not answer`);
      }
      gone.push(groupKind);
      continue;
    }
    for (const namespace of resource.namespaced ? [...scope.namespaces].sort() : [undefined]) {
      const collection = collectionPath(resource, namespace);
      const query = { labelSelector: `${PART_OF_LABEL}=${applySetId(parent)}` };
      // The API server still names a kind for a moment after its deletion.
      const list = await api.list(collection, { query, signal }).catch(onStatus([404], undefined));
      if (list === undefined) {
        gone.push(groupKind);
        break;
      }
      for (const { metadata: { name, uid, deletionTimestamp } } of list.items) {
        if (applied.has(uid) || deletionTimestamp) continue;
        const label = objectLabel({ apiVersion: apiVersionOf(resource), kind: resource.kind, name });
        orphans.push({ label, namespace, path: `${collection}/${encodeURIComponent(name)}`, uid, kept: NEVER_PRUNED.has(groupKind) });
      }
    }
  }
  return { orphans, gone };
}
