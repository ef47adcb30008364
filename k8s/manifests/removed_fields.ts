import { parseJson } from "../api/exact_json.ts";
import { type FieldSet, isApplier, isPredecessor, type LiveObject, moveFields, union } from "./field_ownership.ts";
import type { ObjectBody } from "./manifest_objects.ts";

/**
 * The result of a dry run without the fields that only `kubectl apply` owns and the manifest does not have; undefined if it owns nothing. The
 * API server cannot show this, because a dry run moves no fields. Defaults among them come back when {@linkcode replacing} is sent. Pure.
 */
export function withoutRemovedFields(object: LiveObject, applier: string): LiveObject | undefined {
  const before = object.metadata.managedFields ?? [];
  const after = moveFields(before, isPredecessor, applier);
  if (after === undefined) return undefined;
  const taken = after.find((entry) => isApplier(entry, applier))?.fieldsV1 ?? {};
  // After the dry run the applier's own entry has the fields of the manifest.
  const staying = [...before.filter((entry) => isApplier(entry, applier)), ...after.filter((entry) => !isApplier(entry, applier))];
  const kept = staying.reduce<FieldSet>((all, { fieldsV1 = {} }) => union(all, fieldsV1), { ".": {} });
  const left = parseJson(JSON.stringify(object)) as LiveObject;
  remove(left, taken, kept);
  return { ...left, metadata: { ...left.metadata, managedFields: staying } };
}

/** The metadata that a manifest may have, other than its name. */
const METADATA = ["labels", "annotations", "finalizers", "ownerReferences"];

/** A JSON patch that reduces an object to what is left of it, and adds what only the manifest has: a Secret's stringData. */
export function replacing(object: LiveObject, left: LiveObject, manifest: ObjectBody): Record<string, unknown>[] {
  const replace = (root: string, from: Record<string, unknown>, to: Record<string, unknown>, keys: readonly string[]) =>
    keys.flatMap((key) => {
      if (to[key] !== undefined) return { op: "add", path: `${root}/${key}`, value: to[key] };
      return from[key] === undefined ? [] : { op: "remove", path: `${root}/${key}` };
    });
  const own = ["apiVersion", "kind", "metadata", "status"];
  const keys = [...new Set([...Object.keys(manifest), ...Object.keys(object)])].filter((key) => !own.includes(key));
  return [...replace("", object, { ...manifest, ...left }, keys), ...replace("/metadata", object.metadata, left.metadata, METADATA)];
}

type Container = Record<string, unknown> | unknown[];

function remove(value: Container, fields: FieldSet, kept: FieldSet): void {
  // Later items of a list first, so that indices stay valid.
  const found = Object.entries(fields).flatMap(([step, inner]) => {
    const at = place(value, step);
    return at === undefined ? [] : [{ step, inner, at }];
  }).sort((a, b) => typeof a.at === "number" && typeof b.at === "number" ? b.at - a.at : 0);
  for (const { step, inner, at } of found) {
    const stays = kept[step];
    const isMember = Object.keys(inner).length === 0 || inner["."] !== undefined;
    let isGone = isMember && stays === undefined;
    const child = (value as Record<string | number, unknown>)[at];
    if (!isGone && typeof child === "object" && child !== null) {
      const size = Object.keys(child).length;
      remove(child as Container, inner, stays ?? {});
      // The API server removes a map or list with its last item.
      isGone = size > 0 && Object.keys(child).length === 0;
    }
    if (!isGone) continue;
    if (Array.isArray(value)) value.splice(at as number, 1);
    else delete value[at];
  }
}

/** The key or index that a step of a path leads to: `f:` is a field, `k:` the item with these keys, `v:` the item with this value, `i:` an index. */
function place(value: Container, step: string): string | number | undefined {
  const [kind, rest] = [step.slice(0, 2), step.slice(2)];
  if (step === ".") return undefined;
  if (kind === "f:") return !Array.isArray(value) && rest in value ? rest : undefined;
  if (!Array.isArray(value)) return undefined;
  const at = kind === "i:"
    ? Number(rest)
    : value.findIndex((item) =>
      kind === "k:" ? hasKeys(item, JSON.parse(rest)) : JSON.stringify(item) === JSON.stringify(JSON.parse(rest))
    );
  return at >= 0 && at < value.length ? at : undefined;
}

function hasKeys(item: unknown, keys: Record<string, unknown>): boolean {
  return Object.entries(keys).every(([key, wanted]) => (item as Record<string, unknown> | null)?.[key] === wanted);
}
