import { type ApplyOutcome, NotEstablishedError } from "../../k8s/manifests/apply_objects.ts";
import type { PlannedObject } from "../../k8s/manifests/apply_plan.ts";
import { ConnectionError } from "../../k8s/api/connection_error.ts";
import { FieldConflictError } from "../../k8s/manifests/server_side_apply.ts";
import type { Context } from "../command/context.ts";

/** Why an object was not applied, and what to do. */
export function describeNotApplied({ label, source }: PlannedObject, error: unknown, describe: Context["describe"]): string {
  const where = `${source.file}:${source.line}:${source.column}: ${label}`;
  if (error instanceof FieldConflictError) return `error: ${where}: ${describeConflict(error)}`;
  if (error instanceof NotEstablishedError) return `error: ${where}: ${error.message}`;
  return `error: ${where}: ${describe(error).text.replace(/^error: /, "")}`;
}

function describeConflict({ conflicts }: FieldConflictError): string {
  const byManager = Map.groupBy(conflicts, ({ manager }) => manager);
  const lines = [...byManager].map(([manager, fields]) => `  ${manager} holds ${fields.map(({ field }) => field).join(", ")}`);
  const one = conflicts.length === 1;
  return [
    `${one ? "a field is" : "fields are"} set by somebody else to another value:`,
    ...lines,
    `  Leave ${one ? "it" : "them"} out of the manifest, or take ${one ? "it" : "them"} with --force-conflicts`,
  ].join("\n");
}

function isInterrupt(error: unknown): boolean {
  return error instanceof Error && error.message === "interrupted" || error instanceof ConnectionError && error.kind === "aborted";
}

/** What ended a command before its time. */
export function describeEnd(error: unknown, describe: Context["describe"]): string {
  return isInterrupt(error) ? "it was interrupted" : describe(error).text.replace(/^error: /, "");
}

/** What was applied and what was not, where it was not all. */
export function describeOutcome({ applied, failed, unsure, untried, ended }: ApplyOutcome, describe: Context["describe"]): string {
  const labels = (objects: Iterable<PlannedObject>) => [...objects].map(({ label }) => label).join(", ");
  const lines = [
    ...(ended === undefined ? [] : [describeEnd(ended, describe)]),
    applied.size === 0 ? "nothing was applied" : `applied: ${labels(applied.keys())}`,
    ...(failed.length === 0 ? [] : [`refused: ${labels(failed)}`]),
    ...(unsure === undefined ? [] : [`not known, since no answer came: ${unsure.label}`]),
    ...(untried.length === 0 ? [] : [`not tried: ${labels(untried)}`]),
  ];
  return lines.join("\n  ");
}
