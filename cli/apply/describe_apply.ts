import { ApiError } from "../../k8s/api/api_error.ts";
import { ConnectionError } from "../../k8s/api/connection_error.ts";
import { type ApplyOutcome, NotEstablishedError } from "../../k8s/manifests/apply_objects.ts";
import type { PlannedObject } from "../../k8s/manifests/apply_plan.ts";
import { FieldConflictError, PreviewError } from "../../k8s/manifests/server_side_apply.ts";
import type { Context } from "../command/context.ts";
import { InterruptedError } from "../command/errors.ts";

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
    return "a dry run cannot show this change: kurun first has to take over fields that kubectl apply set, which a dry run does not do.\n" +
      "  Apply it without --diff and --dry-run";
  }
  const immutable = error instanceof ApiError && describeImmutable(object, error);
  return immutable || describe(error instanceof ApiError ? shortRefusal(error) : error).text.replace(/^error: /, "");
}

function describeConflict({ conflicts }: FieldConflictError): string {
  const byManager = Map.groupBy(conflicts, ({ manager }) => manager);
  const lines = [...byManager].map(([manager, fields]) => `  ${manager} owns ${fields.map(({ field }) => field).join(", ")}`);
  const [fields, them] = conflicts.length === 1 ? ["a field has", "it"] : ["fields have", "them"];
  return [
    `${fields} another value, set by another manager:`,
    ...lines,
    `  Remove ${them} from the manifest, or take ${them} over with --force-conflicts`,
  ].join("\n");
}

function isInterrupt(error: unknown): boolean {
  return error instanceof InterruptedError || error instanceof ConnectionError && error.kind === "aborted";
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
    ...(untried.length === 0 ? [] : [`not attempted: ${labels(untried)}`]),
  ];
  return lines.join("\n  ");
}

/** How the API server says that a field cannot be changed, in the words of all its kinds and of definitions' rules. */
const IMMUTABLE =
  /immutable|may not change once set|(?:cannot|can not|may not) (?:be )?chang|updates? to .*(?:is|are) forbidden|may not (?:be )?update/i;

/** Kinds that hold data: deleting one deletes it. */
const HOLDS_DATA: ReadonlySet<string> = new Set(["PersistentVolumeClaim", "PersistentVolume", "StatefulSet"]);

/** A refusal is quoted as it is up to this length, in characters. Go's values in it can be many times longer. */
const MAX_QUOTED = 500;
const MAX_VALUE = 60;

/** What to do about a field that cannot be changed after the object is created; undefined where that is not what the error says. */
function describeImmutable({ source, label, namespace }: PlannedObject, error: ApiError): string | undefined {
  const causes = (error.details?.causes ?? []).filter(({ message = "" }) => IMMUTABLE.test(message));
  if (error.status !== 422 || causes.length === 0) return undefined;
  const fields = [...new Set(causes.map(({ field, message = "" }) => `${field}: ${sentenceOf(message)}`))];
  const where = namespace === undefined ? "" : ` -n ${namespace}`;
  const data = HOLDS_DATA.has(source.kind) ? " (this can lose its data)" : "";
  return [
    fields.slice(0, 3).join("; "),
    `  Delete the object${data} and apply again: kubectl delete ${label}${where}`,
    "  Or give it another metadata.name",
  ].join("\n");
}

/** The sentence behind Go's value: `Invalid value: core.PodTemplateSpec{…}: field is immutable`. A comparison may follow on more lines. */
function sentenceOf(message: string): string {
  return message.split("\n", 1)[0]!.replace(/^Invalid value: .*: |^Forbidden: /, "");
}

/** The same refusal with long Go values left out. */
function shortRefusal(error: ApiError): ApiError {
  const { message, status, reason, details } = error;
  const causes = details?.causes ?? [];
  if (message.length <= MAX_QUOTED || causes.length === 0) return error;
  const told = causes.map(({ field, message = "" }) => {
    const [, value = "", rest] = /^Invalid value: (.*): ([^:]*)$/s.exec(message) ?? [];
    return `${field}: ${value.length > MAX_VALUE ? rest : message.slice(0, MAX_QUOTED)}`;
  });
  const what = /^.*? is invalid: /s.exec(message)?.[0] ?? "";
  return new ApiError(what + [...new Set(told)].join("; "), { status, reason, ...details && { details } });
}

/** The field that a refusal is about, as a path; of several the first. */
function namedField({ details, message }: ApiError): string | undefined {
  const field = details?.causes?.find(({ field }) => field)?.field;
  if (field) return field;
  // Server-side apply: `.spec.env: duplicate entries for key [name="MODE"]`, `.spec.replicsa: field not declared in schema`.
  const typed = /: ((?:\.[^\s:.[\]]+|\[(?:"(?:[^"\\]|\\.)*"|[^\]"])*\])+): (?:duplicate entries for key (\[[^\]]*\])|field not declared)/
    .exec(message);
  if (typed) return `${typed[1]}${typed[2] ?? ""}`;
  return /unknown field "([^"]+)"/.exec(message)?.[1];
}
