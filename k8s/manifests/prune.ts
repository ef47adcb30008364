/**
 * Keeps an ApplySet's parent, and deletes members that are not applied any more.
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

/** Who changes parents, in kubectl's words, so that kubectl's own changes are no conflict. */
const FIELD_MANAGER = "kubectl-applyset";

/** A member that is not applied any more. */
export interface Orphan {
  readonly label: string;
  /** Undefined where its kind has none. */
  readonly namespace: string | undefined;
  readonly path: string;
  readonly uid: string;
  /** Whether it stays all the same, since its kind is never pruned. */
  readonly kept: boolean;
}

/** Where members of a set are now; undefined where there is no such set. @throws ApplySetError where its parent is something else */
export async function readParent(api: Api, parent: ApplySetParent, signal: AbortSignal): Promise<ApplySetScope | undefined> {
  const live = await api.find<Live>(parentPath(parent), { signal });
  return live && readScope(parent, live.body);
}

/** Writes down where members are: before applying all that there may be, afterwards what there is. */
export async function writeParent(api: Api, parent: ApplySetParent, scope: ApplySetScope, signal: AbortSignal): Promise<void> {
  await api.apply(parentPath(parent), parentBody(parent, scope), { fieldManager: FIELD_MANAGER, force: true, signal });
}

/**
 * Finds members that are not among what was applied.
 *
 * @param scope where members may be
 * @param applied uids
 * @returns them, and kinds that have gone from the cluster, and their objects with them
 * @throws ApplySetError where what serves a kind does not answer now: its members would be forgotten
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
        throw new ApplySetError(`the set ${parent.name} has ${groupKind}, and what serves ${group} does not answer now`);
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

/** Undefined where the kind is gone: the API server tells of it for a moment after its end. */
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
