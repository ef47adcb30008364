import type { PlannedObject } from "../../k8s/manifests/apply_plan.ts";
import {
  type ApplySetParent,
  type ApplySetScope,
  findOrphans,
  type Orphan,
  readParent,
  saysPart,
  scopeOf,
  writeParent,
} from "../../k8s/manifests/applyset.ts";
import { deleteObject } from "../../k8s/manifests/delete_objects.ts";
import type { ApiResources } from "../../k8s/manifests/discovery.ts";
import { describeEnd } from "./describe_apply.ts";
import { failedExitCode, UserError } from "../command/errors.ts";
import { ManifestError } from "../../k8s/manifests/manifest_error.ts";
import type { ApplyRun } from "./prepare_manifests.ts";

/** A set that is being applied. */
export interface OpenSet {
  readonly parent: ApplySetParent;
  /** Where the members are that this command applies. */
  readonly now: ApplySetScope;
  /** The same, together with the members of earlier commands. */
  readonly all: ApplySetScope;
}

/** Checks, before anything is built, that the parent belongs to a set, and that no object names its set itself. */
export async function openSet(run: ApplyRun, parent: ApplySetParent, planned: readonly PlannedObject[]): Promise<OpenSet> {
  const claims = planned.filter(saysPart);
  if (claims.length > 0) {
    const what = "only --applyset may make it a member of a set: remove its label applyset.kubernetes.io/part-of";
    throw new ManifestError(claims.map(({ source: { file, line, column } }) => ({ file, line, column, what })));
  }
  const now = scopeOf(planned);
  const before = await readParent(run.api, parent, run.context.interrupted);
  const all = before ? { kinds: now.kinds.union(before.kinds), namespaces: now.namespaces.union(before.namespaces) } : now;
  return { parent, now, all };
}

/**
 * Deletes members that were not applied, and records where the remaining ones are.
 * @param applied the uids of all applied objects
 * @throws UserError with what was pruned, unless everything was
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
        context.stderr(
          `Warning: ${label} is no longer in the manifests, but its kind is never pruned: delete it yourself if you do not need it\n`,
        );
        continue;
      }
      await deleteObject(api, { path, uid }, { dryRun, signal });
      pruned.push(label);
      if (flags.output === "name") context.stdout(`${label}\n`);
      else if (flags.output === undefined) context.stdout(`${label} pruned${dryRun ? " (server dry run)" : ""}\n`);
    }
    // What stays is still a member, and is looked at again next time.
    const left = orphans.some(({ kept }) => kept) ? set.all : set.now;
    if (!dryRun) await writeParent(api, set.parent, left, signal);
  } catch (error) {
    if (dryRun) throw error;
    const lines = [
      `pruning the set ${set.parent.name} failed half-way: ${describeEnd(error, context.describe)}`,
      "everything was applied",
      pruned.length === 0 ? "nothing was pruned" : `pruned: ${pruned.join(", ")}`,
    ];
    throw new UserError(lines.join("\n  "), failedExitCode(signal), { cause: error });
  }
}

/** The members that were not applied. @param applied uids */
export async function orphansOf(run: ApplyRun, set: OpenSet, resources: ApiResources, applied: ReadonlySet<string>): Promise<Orphan[]> {
  const { context, api } = run;
  const { orphans, gone } = await findOrphans(api, set.parent, set.all, resources, applied, context.interrupted);
  for (const kind of gone) context.stderr(`Warning: the set had objects of kind ${kind}, which the cluster no longer has\n`);
  return orphans;
}
