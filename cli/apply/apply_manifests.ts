import { applyObjects } from "../../k8s/manifests/apply_objects.ts";
import { isNamespace, type PlannedObject } from "../../k8s/manifests/apply_plan.ts";
import type { LiveObject } from "../../k8s/manifests/field_ownership.ts";
import { applySetId, applySetParent, asMember, writeParent } from "../../k8s/manifests/applyset.ts";
import { followRollouts, type RolloutObserver } from "../../k8s/workloads/follow_rollouts.ts";
import { printDiff, printPruned } from "./apply_diff.ts";
import { openSet, orphansOf, pruneSet } from "./apply_set.ts";
import { describeNotApplied, describeOutcome } from "./describe_apply.ts";
import { ExitCode, ExitError, failedExitCode, UserError } from "../command/errors.ts";
import { deliverReferences } from "./load_manifests.ts";
import { objectsText } from "./object_text.ts";
import { type ApplyRun, planAgain, type PreparedManifests } from "./prepare_manifests.ts";

/**
 * Builds, delivers and applies manifests that have been read.
 * @param changed ends the wait for rollouts
 * @param applied objects applied by earlier calls. Unchanged ones are skipped. This call updates the map
 * @throws ManifestError, UserError, or an error of the cluster
 */
export async function applyPrepared(
  run: ApplyRun,
  prepared: PreparedManifests,
  changed?: AbortSignal,
  applied: AppliedObjects = new Map(),
): Promise<void> {
  const { context, flags } = run;
  const dryRun = flags.dryRun === "server";
  const parent = flags.applySet === undefined ? undefined : applySetParent(flags.applySet, run.namespace.namespace);
  if (flags.dryRun === "client") {
    const text = flags.output === undefined
      ? prepared.planned.map(({ label }) => `${label} serverside-applied (dry run)\n`).join("")
      : objectsText(prepared.planned.map(({ body }) => body), flags.output, true);
    return context.data(text);
  }
  const set = parent && await openSet(run, parent, prepared.planned);
  // Builds and delivers the sources that the manifests refer to.
  const replaced = !dryRun && await deliverReferences(prepared.manifests, run.deliver);
  const built = replaced ? planAgain(prepared, run.namespace) : prepared.planned;
  const planned = set ? built.map((object) => asMember(object, applySetId(set.parent))) : built;
  if (flags.diff) {
    const { different, uids } = await printDiff(run, planned);
    const pruned = set !== undefined && await printPruned(run, await orphansOf(run, set, prepared.resources, uids));
    if (different || pruned) throw new ExitError(ExitCode.failed);
    return;
  }
  const paths = new Set(planned.map(({ path }) => path));
  // An object that leaves the manifests and comes back must be applied again.
  for (const path of applied.keys()) if (!paths.has(path)) applied.delete(path);
  const isNew = ({ path, body }: PlannedObject) => applied.get(path)?.text !== JSON.stringify(body);
  // The namespace of the set's parent must exist first.
  const isHome = ({ source }: PlannedObject) => set && !dryRun && isNamespace(source) && source.name === set.parent.namespace;
  const { home = [], others = [] } = Object.groupBy(planned.filter(isNew), (object) => isHome(object) ? "home" : "others");
  await applyPlanned(run, home, applied, others);
  // Where members may be from now on, so that none is forgotten if kurun ends half-way.
  if (set && !dryRun) await writeParent(run.api, set.parent, set.all, context.interrupted);
  await applyPlanned(run, others, applied);
  const live = planned.flatMap(({ path }) => applied.get(path)?.live ?? []);
  if (set) await pruneSet(run, set, prepared.resources, new Set(live.map(({ metadata }) => metadata.uid)));
  if (flags.wait) await waitForRollouts(run, planned, changed);
  if ((flags.output === "yaml" || flags.output === "json") && live.length > 0) {
    context.data(objectsText(live, flags.output, flags.showManagedFields));
  }
}

/** Objects that were applied, by path: what was sent, as JSON, and what the cluster has. */
export type AppliedObjects = Map<string, { readonly text: string; readonly live: LiveObject }>;

/** Follows the applied objects until they are ready. @throws UserError with those that do not become ready, and why */
async function waitForRollouts({ api, context, flags }: ApplyRun, planned: readonly PlannedObject[], changed?: AbortSignal): Promise<void> {
  const observer: RolloutObserver = {
    waits: ({ label }, state) => context.stderr(`Waiting for ${label}: ${state}\n`),
    ready: ({ label }) => context.stderr(`${label} is ready\n`),
  };
  const signal = changed ? AbortSignal.any([changed, context.interrupted]) : context.interrupted;
  const unready = await followRollouts(api, planned, observer, flags.timeoutMs, signal).catch((error) => {
    if (changed?.aborted) return [];
    if (!context.interrupted.aborted) throw error;
    throw new UserError(
      "interrupted: everything was applied, but not everything is ready yet",
      failedExitCode(context.interrupted),
      { cause: error },
    );
  });
  if (unready.length === 0) return;
  const lines = unready.map(({ object: { label }, why }) => `  ${label}: ${why}`);
  throw new UserError(["everything was applied, but these objects did not become ready:", ...lines].join("\n"), ExitCode.failed);
}

/**
 * Applies objects and prints a line for each of them.
 * @param later objects that would have been applied after these
 * @throws UserError that says what was applied and what was not, unless everything was
 */
async function applyPlanned(
  run: ApplyRun,
  planned: readonly PlannedObject[],
  applied: AppliedObjects,
  later: readonly PlannedObject[] = [],
): Promise<void> {
  const { context, api, flags } = run;
  const { fieldManager, force, validation } = flags;
  const dryRun = flags.dryRun === "server";
  const outcome = await applyObjects(api, planned, { fieldManager, force, validation, dryRun, signal: context.interrupted }, {
    applied({ label, path, body }, { body: live, warnings }) {
      applied.set(path, { text: JSON.stringify(body), live });
      for (const warning of warnings) context.stderr(`Warning: ${warning}\n`);
      if (live.metadata.deletionTimestamp) {
        context.stderr(`Warning: ${label} is being deleted, so the applied changes will be lost: apply again once it is gone\n`);
      }
      if (flags.output === "name") context.stdout(`${label}\n`);
      else if (flags.output === undefined) context.stdout(`${label} serverside-applied${dryRun ? " (server dry run)" : ""}\n`);
    },
    untriable: ({ label }) => context.stderr(`${label} cannot be previewed, because its namespace or kind does not exist yet\n`),
    failed: (object, error) => context.stderr(`${describeNotApplied(object, error, context.describe)}\n`),
  });
  const { failed, untried, ended } = outcome;
  if (failed.length === 0 && ended === undefined) return;
  const text = describeOutcome({ ...outcome, untried: [...untried, ...later] }, context.describe);
  throw new UserError(text, failedExitCode(context.interrupted), { cause: ended });
}
