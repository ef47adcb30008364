import { ApiError } from "../../k8s/api/api_error.ts";
import { ConnectionError } from "../../k8s/api/connection_error.ts";
import { type ApplyOutcome, NotEstablishedError } from "../../k8s/manifests/apply_objects.ts";
import type { PlannedObject } from "../../k8s/manifests/apply_plan.ts";
import { FieldConflictError, PreviewError } from "../../k8s/manifests/server_side_apply.ts";
import type { Context } from "../command/context.ts";
import { describeImmutable, namedField, shortRefusal } from "./describe_refused_field.ts";

/** Why an object was not applied, and what to do. */
export function describeNotApplied(object: PlannedObject, error: unknown, describe: Context["describe"]): string {
  const { source, label } = object;
  const field = error instanceof ApiError ? namedField(error) : undefined;
  const { line, column } = field === undefined ? source : source.place(field);
  return `error: ${source.file}:${line}:${column}: ${label}: ${reasonOf(object, error, describe)}`;
}

function reasonOf(object: PlannedObject, error: unknown, describe: Context["describe"]): string {
  if (error instanceof FieldConflictError) return describeConflict(error);
  if (error instanceof NotEstablishedError) return error.message;
  if (error instanceof PreviewError) {
    return "a dry run cannot show this change, because fields that kubectl made have to become kurun's first.\n" +
      "  Without them the API server refuses it. Apply it without --diff and --dry-run: that moves them";
  }
  if (error instanceof ApiError) {
    const immutable = describeImmutable(object, error);
    if (immutable !== undefined) return immutable;
    return describe(shortRefusal(error)).text.replace(/^error: /, "");
  }
  return describe(error).text.replace(/^error: /, "");
}

function describeConflict({ conflicts }: FieldConflictError): string {
  const byManager = Map.groupBy(conflicts, ({ manager }) => manager);
  const lines = [...byManager].map(([manager, fields]) => `  ${manager} holds ${fields.map(({ field }) => field).join(", ")}`);
  const [fields, them] = conflicts.length === 1 ? ["a field has", "it"] : ["fields have", "them"];
  return [
    `${fields} another value, set by another manager:`,
    ...lines,
    `  Remove ${them} from the manifest, or take ${them} over with --force-conflicts`,
  ].join("\n");
}

function isInterrupt(error: unknown): boolean {
  return error instanceof Error && error.message === "interrupted" || error instanceof ConnectionError && error.kind === "aborted";
}

/** What ended a command early. */
export function describeEnd(error: unknown, describe: Context["describe"]): string {
  return isInterrupt(error) ? "interrupted" : describe(error).text.replace(/^error: /, "");
}

/** What was applied and what was not, when not everything was. */
export function describeOutcome({ applied, failed, unsure, untried, ended }: ApplyOutcome, describe: Context["describe"]): string {
  const labels = (objects: Iterable<PlannedObject>) => [...objects].map(({ label }) => label).join(", ");
  const lines = [
    ...(ended === undefined ? [] : [describeEnd(ended, describe)]),
    applied.size === 0 ? "nothing was applied" : `applied: ${labels(applied.keys())}`,
    ...(failed.length === 0 ? [] : [`refused: ${labels(failed)}`]),
    ...(unsure === undefined ? [] : [`unknown, because no answer came: ${unsure.label}`]),
    ...(untried.length === 0 ? [] : [`not tried: ${labels(untried)}`]),
  ];
  return lines.join("\n  ");
}
