import { isNamespace, type PlannedObject } from "../../k8s/manifests/apply_plan.ts";
import { type ApplySetParent, type ApplySetScope, saysPart, scopeOf, unite } from "../../k8s/manifests/applyset.ts";
import { deleteObject } from "../../k8s/manifests/delete_objects.ts";
import type { ApiResources } from "../../k8s/manifests/discovery.ts";
import { findOrphans, type Orphan, readParent, writeParent } from "../../k8s/manifests/prune.ts";
import type { ApplyRun } from "./apply_run.ts";
import { describeEnd } from "./describe_apply.ts";
import { ExitCode, UserError } from "../command/errors.ts";
import { ManifestError } from "./manifest_error.ts";

/** A set that is being applied. */
export interface OpenSet {
  readonly parent: ApplySetParent;
  /** Where members are that this command applies. */
  readonly now: ApplySetScope;
  /** And those of the last time. */
  readonly all: ApplySetScope;
}

/** What must hold before anything is built: the parent is a set's, and no object says itself which set it is of. */
export async function openSet(run: ApplyRun, parent: ApplySetParent, planned: readonly PlannedObject[]): Promise<OpenSet> {
  const claims = planned.filter(({ source }) => saysPart(source));
  if (claims.length > 0) {
    const what = "it says by its labels which set it belongs to, which --applyset says";
    throw new ManifestError(claims.map(({ source: { file, line, column } }) => ({ file, line, column, what })));
  }
  const now = scopeOf(planned);
  const before = await readParent(run.api, parent, run.context.interrupted);
  return { parent, now, all: before ? unite(before, now) : now };
}

/** Makes the set known to hold all that it may hold from now on, so that nothing is forgotten if this ends in the middle. */
export async function announceSet(run: ApplyRun, set: OpenSet): Promise<void> {
  await writeParent(run.api, set.parent, set.all, run.context.interrupted);
}

/** Whether an object is the namespace that a set's parent is in: then it must be there first. */
export function isHomeOf({ parent }: OpenSet, { source }: PlannedObject): boolean {
  return isNamespace(source) && source.name === parent.namespace;
}

/**
 * Deletes members that were not applied, and writes down what is left.
 *
 * @param applied the uids of all that was applied
 * @throws UserError with what was pruned, where it was not all
 */
export async function pruneSet(run: ApplyRun, set: OpenSet, resources: ApiResources, applied: ReadonlySet<string>): Promise<void> {
  const { api, context, flags } = run;
  const dryRun = flags.dryRun === "server";
  const signal = context.interrupted;
  const pruned: string[] = [];
  try {
    const orphans = await orphansOf(run, set, resources, applied);
    for (const { label, path, uid, kept } of orphans) {
      if (kept) {
        context.stderr(`Warning: ${label} is not in the manifests any more, and stays: its kind is never pruned\n`);
        continue;
      }
      await deleteObject(api, { path, uid }, { dryRun, signal });
      pruned.push(label);
      if (flags.output === "name") context.stdout(`${label}\n`);
      else if (flags.output === undefined) context.stdout(`${label} pruned${dryRun ? " (server dry run)" : ""}\n`);
    }
    // What stays is a member still: the next time it is looked at again.
    const left = orphans.some(({ kept }) => kept) ? set.all : set.now;
    if (!dryRun) await writeParent(api, set.parent, left, signal);
  } catch (error) {
    if (dryRun) throw error;
    const lines = [
      `the set ${set.parent.name} was not pruned to its end: ${describeEnd(error, context.describe)}`,
      "everything was applied",
      pruned.length === 0 ? "nothing was pruned" : `pruned: ${pruned.join(", ")}`,
    ];
    throw new UserError(lines.join("\n  "), ExitCode.failed, { cause: error });
  }
}

/** Members that are not among what was applied. @param applied uids */
export async function orphansOf(run: ApplyRun, set: OpenSet, resources: ApiResources, applied: ReadonlySet<string>): Promise<Orphan[]> {
  const { context, api } = run;
  const { orphans, gone } = await findOrphans(api, set.parent, set.all, resources, applied, context.interrupted);
  for (const kind of gone) context.stderr(`Warning: the cluster has no ${kind} any more, which the set had\n`);
  return orphans;
}
