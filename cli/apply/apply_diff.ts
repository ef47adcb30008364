import { onStatus } from "../../k8s/api/api_error.ts";
import { isAnswer } from "../../k8s/manifests/apply_objects.ts";
import type { PlannedObject } from "../../k8s/manifests/apply_plan.ts";
import { LAST_APPLIED, type LiveObject } from "../../k8s/manifests/field_ownership.ts";
import type { Orphan } from "../../k8s/manifests/applyset.ts";
import { applyObject } from "../../k8s/manifests/server_side_apply.ts";
import { describeNotApplied } from "./describe_apply.ts";
import type { Context } from "../command/context.ts";
import { ExitCode, UserError } from "../command/errors.ts";
import { withoutManagedFields, yamlText } from "./object_text.ts";
import { unifiedDiff } from "./unified_diff.ts";
import type { ApplyRun } from "./prepare_manifests.ts";

/** Shown in place of a Secret's values. */
const HIDDEN = "(not shown)";
const CHANGED = "(not shown, changed)";

/**
 * Prints what would change in the cluster, according to the API server's dry run.
 * @returns whether anything differs, and the uids of the objects that exist
 * @throws UserError if the API server refuses an object
 */
export async function printDiff(run: ApplyRun, planned: readonly PlannedObject[]): Promise<{ different: boolean; uids: Set<string> }> {
  const { context, api, flags } = run;
  const signal = context.interrupted;
  const uids = new Set<string>();
  let different = false;
  let refused = 0;
  for (const object of planned) {
    try {
      const live = (await api.find<LiveObject>(object.path, { signal }))?.body;
      if (live) uids.add(live.metadata.uid);
      const { fieldManager, force, validation } = flags;
      const trial = applyObject(api, object.path, object.body, { fieldManager, force, validation, dryRun: true, signal });
      // It fails if the object's namespace or kind does not exist yet: then the object is new, exactly as in the manifest.
      const answer = await (live ? trial : trial.catch(onStatus([404], undefined)));
      const [before, after] = comparable(live, answer?.body ?? object.body);
      const name = fullName(object);
      const names = { before: `live/${name}`, after: `applied/${name}` };
      const diff = unifiedDiff(before === undefined ? "" : yamlText(before), yamlText(after), names);
      if (diff === "") continue;
      different = true;
      show(context, diff);
    } catch (error) {
      if (!isAnswer(error)) throw error;
      refused++;
      context.stderr(`${describeNotApplied(object, error, context.describe)}\n`);
    }
  }
  if (refused > 0) throw new UserError(`${refused} of ${planned.length} objects would be refused`, ExitCode.cluster);
  return { different, uids };
}

/** Prints what would be pruned, as a diff against nothing. @returns whether there is anything to prune */
export async function printPruned(run: ApplyRun, orphans: readonly Orphan[]): Promise<boolean> {
  const pruned = orphans.filter(({ kept }) => !kept);
  for (const orphan of pruned) {
    const live = (await run.api.find<LiveObject>(orphan.path, { signal: run.context.interrupted }))?.body;
    if (!live) continue;
    const name = fullName(orphan);
    show(run.context, unifiedDiff(yamlText(comparable(live, live)[0]), "", { before: `live/${name}`, after: `pruned/${name}` }));
  }
  return pruned.length > 0;
}

function fullName({ namespace, label }: { namespace: string | undefined; label: string }): string {
  return namespace === undefined ? label : `${namespace}/${label}`;
}

/** A terminal shows control characters escaped; a pipe gets them as they are. */
function show(context: Context, diff: string): void {
  if (context.stdio.stdoutIsTerminal) context.stdout(diff);
  else context.data(diff);
}

/** Both objects without fields that change by themselves, and without a Secret's values. */
function comparable(
  live: LiveObject | undefined,
  then: Record<string, unknown>,
): [Record<string, unknown> | undefined, Record<string, unknown>] {
  const [before, after] = [live && plain(live), plain(then)];
  if (after.kind !== "Secret") return [before, after];
  const hide = (object: Record<string, unknown>, other: Record<string, unknown> | undefined, changed: string) => {
    const hidden = { ...object };
    for (const field of ["data", "stringData"]) {
      const [values, others] = [object[field], other?.[field]] as (Record<string, unknown> | undefined)[];
      if (!values) continue;
      hidden[field] = Object.fromEntries(Object.keys(values).map((key) => [key, values[key] === others?.[key] ? HIDDEN : changed]));
    }
    return hidden;
  };
  return [before && hide(before, after, HIDDEN), hide(after, before, before ? CHANGED : HIDDEN)];
}

/** Without the annotation in which kubectl keeps the manifest, including a Secret's values. */
function plain(object: Record<string, unknown>): Record<string, unknown> {
  const { status: _, ...rest } = withoutManagedFields(object);
  const { resourceVersion: _version, generation: _generation, uid: _uid, creationTimestamp: _created, annotations, ...metadata } = rest
    .metadata as { readonly annotations?: Record<string, string>; readonly [field: string]: unknown };
  const { [LAST_APPLIED]: _applied, ...others } = annotations ?? {};
  return { ...rest, metadata: Object.keys(others).length === 0 ? metadata : { ...metadata, annotations: others } };
}
