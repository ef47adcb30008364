/**
 * Strategic merge patches, as kubectl's `--overrides` are: objects merge, null takes away, and lists whose items have a key merge item by
 * item. Pure.
 *
 * @module
 */

/** A part of an object, as JSON. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** The key of each list in a Pod that merges (patchMergeKey in the API's types); other lists replace. */
const MERGE_KEYS: Readonly<Record<string, string>> = {
  containers: "name",
  initContainers: "name",
  ephemeralContainers: "name",
  volumes: "name",
  imagePullSecrets: "name",
  env: "name",
  volumeMounts: "mountPath",
  volumeDevices: "devicePath",
  ports: "containerPort",
  hostAliases: "ip",
  topologySpreadConstraints: "topologyKey",
  ownerReferences: "uid",
};

/** Applies a patch. @returns what it makes of the object, and the directives (`$patch` and such) that were left out */
export function strategicMerge(into: JsonObject, patch: JsonObject): { merged: Record<string, unknown>; unknown: string[] } {
  const unknown: string[] = [];
  return { merged: mergeObjects(into, patch, "", unknown), unknown };
}

function mergeObjects(into: JsonObject, patch: JsonObject, path: string, unknown: string[]): Record<string, unknown> {
  const merged: Record<string, unknown> = { ...into };
  for (const [field, value] of Object.entries(patch)) {
    const at = path === "" ? field : `${path}.${field}`;
    if (field.startsWith("$")) unknown.push(at);
    else if (value === null) delete merged[field];
    else merged[field] = mergeValues(merged[field], value, { field, path: at, unknown });
  }
  return merged;
}

function mergeValues(before: unknown, value: unknown, where: { field: string; path: string; unknown: string[] }): unknown {
  const { field, path, unknown } = where;
  if (isObject(value)) return mergeObjects(isObject(before) ? before : {}, value, path, unknown);
  const key = MERGE_KEYS[field];
  if (!Array.isArray(value) || key === undefined || !value.every(isObject)) return value;
  const items: unknown[] = Array.isArray(before) ? [...before] : [];
  for (const item of value) {
    const index = items.findIndex((other) => isObject(other) && other[key] === item[key]);
    const named = `${path}[${key}=${item[key]}]`;
    if (index < 0) items.push(mergeObjects({}, item, named, unknown));
    else items[index] = mergeObjects(items[index] as JsonObject, item, named, unknown);
  }
  return items;
}

/** Whether a value is an object, in JSON's sense. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
