import type { Api } from "../../k8s/api/api.ts";
import { type ApplySetParent, type ApplySetScope, parentPath } from "../../k8s/manifests/applyset.ts";
import { deleteObject } from "../../k8s/manifests/delete_objects.ts";
import { discover } from "../../k8s/manifests/discovery.ts";
import { findOrphans } from "../../k8s/manifests/prune.ts";
import type { Context } from "../command/context.ts";

/** How the members of a set are deleted. */
export interface DeleteSetOptions {
  readonly context: Context;
  readonly api: Api;
  readonly parent: ApplySetParent;
  /** Where its members are. */
  readonly scope: ApplySetScope;
  readonly dryRun: "client" | "server" | undefined;
  /** Objects that are already marked for deletion, by path. */
  readonly deleted: ReadonlySet<string>;
  /** A line for an object that was deleted. */
  readonly line: (label: string, namespace: string | undefined) => string;
}

/**
 * Deletes all members of a set, and then its parent. If a member is of a kind that is never pruned, it and the parent stay.
 *
 * @returns the objects that are marked for deletion
 * @throws ApplySetError, or an error of the cluster
 */
export async function deleteSet(
  { context, api, parent, scope, dryRun, deleted, line }: DeleteSetOptions,
): Promise<{ path: string; label: string; uid: string }[]> {
  const signal = context.interrupted;
  const { orphans } = await findOrphans(api, parent, scope, await discover(api, signal), new Set(), signal);
  const marked: { path: string; label: string; uid: string }[] = [];
  const remove = async (object: { path: string; label: string; namespace: string | undefined; uid?: string }) => {
    const uid = dryRun === "client" ? "" : await deleteObject(api, object, { dryRun: dryRun === "server", signal });
    if (uid === undefined) return;
    context.stdout(line(object.label, object.namespace));
    marked.push({ ...object, uid });
  };
  const members = orphans.filter(({ path }) => !deleted.has(path));
  for (const member of members) {
    if (!member.kept) await remove(member);
    else {context.stderr(
        `Warning: ${member.label} stays, because its kind is never deleted with a set: name its manifest with -f, or delete it yourself\n`,
      );}
  }
  if (!members.some(({ kept }) => kept)) {
    await remove({ ...parent, path: parentPath(parent), label: `${parent.kind.toLowerCase()}/${parent.name}` });
  }
  return marked;
}
