/**
 * Maintains the parent of an ApplySet, and finds members that are no longer applied.
 *
 * @module
 */

import type { Api } from "../api/api.ts";
import { ApiError } from "../api/api_error.ts";
import type { Live } from "../api/kubernetes_objects.ts";
import {
  ApplySetError,
  applySetId,
  type ApplySetParent,
  type ApplySetScope,
  isPruned,
  parentBody,
  parentPath,
  parseGroupKind,
  PART_OF_LABEL,
  readScope,
} from "./applyset.ts";
import { type ApiResources, apiVersionOf, collectionPath } from "./discovery.ts";
import { objectLabel } from "./manifest_objects.ts";

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
 * Finds members that were not applied.
 *
 * @param scope the kinds and namespaces that members may be in
 * @param applied the uids of applied objects
 * @returns the members, and the kinds that no longer exist in the cluster
 * @throws ApplySetError if the API server of a kind does not answer: its members would be forgotten
 * @throws as {@linkcode Api.request} does
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
    const { kind, group } = parseGroupKind(groupKind);
    const resource = resources.findGroupKind(group, kind);
    if (!resource) {
      if (resources.silentGroups.includes(group)) {
        throw new ApplySetError(`the set ${parent.name} has ${groupKind}, and the API server of ${group} does not answer`);
      }
      gone.push(groupKind);
      continue;
    }
    for (const namespace of resource.namespaced ? [...scope.namespaces].sort() : [undefined]) {
      const collection = collectionPath(resource, namespace);
      const items = await listOrNone(api, collection, `${PART_OF_LABEL}=${applySetId(parent)}`, signal);
      if (items === undefined) {
        gone.push(groupKind);
        break;
      }
      for (const { metadata: { name, uid, deletionTimestamp } } of items) {
        if (applied.has(uid) || deletionTimestamp) continue;
        const label = objectLabel({ apiVersion: apiVersionOf(resource), kind, name });
        orphans.push({ label, namespace, path: `${collection}/${encodeURIComponent(name)}`, uid, kept: !isPruned(groupKind) });
      }
    }
  }
  return { orphans, gone };
}

/** Undefined if the kind is gone: the API server still lists it for a moment after its deletion. */
async function listOrNone(
  api: Api,
  path: string,
  labelSelector: string,
  signal: AbortSignal,
): Promise<readonly Live[] | undefined> {
  try {
    return (await api.list(path, { query: { labelSelector }, signal })).items;
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return undefined;
    throw error;
  }
}
