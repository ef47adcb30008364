import { isObject, type JsonObject } from "../../api/exact_json.ts";

/** The key of each list in a Pod that merges (patchMergeKey in the API's types); other lists are replaced. */
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

/**
 * Applies a strategic merge patch, as kubectl's `--overrides` does: objects merge, null removes, and lists whose items have a key merge item
 * by item. @returns the result, and the paths of directives such as `$patch`, which are not supported and ignored
 */
export function strategicMerge<T extends object>(into: T, patch: JsonObject): { merged: T; ignored: string[] } {
  const ignored: string[] = [];
  return { merged: mergeObjects(into as JsonObject, patch, "", ignored) as T, ignored };
}

function mergeObjects(into: JsonObject, patch: JsonObject, path: string, ignored: string[]): JsonObject {
  const merged: Record<string, unknown> = { ...into };
  for (const [field, value] of Object.entries(patch)) {
    const at = path === "" ? field : `${path}.${field}`;
    if (field.startsWith("$")) ignored.push(at);
    else if (value === null) delete merged[field];
    else merged[field] = mergeValues(merged[field], value, MERGE_KEYS[field], at, ignored);
  }
  return merged;
}

function mergeValues(before: unknown, value: unknown, key: string | undefined, path: string, ignored: string[]): unknown {
  if (isObject(value)) return mergeObjects(isObject(before) ? before : {}, value, path, ignored);
  if (!Array.isArray(value) || key === undefined || !value.every(isObject)) return value;
  const items: unknown[] = Array.isArray(before) ? [...before] : [];
  for (const item of value) {
    const index = items.findIndex((other) => isObject(other) && other[key] === item[key]);
    const named = `${path}[${key}=${item[key]}]`;
    if (index < 0) items.push(mergeObjects({}, item, named, ignored));
    else items[index] = mergeObjects(items[index] as JsonObject, item, named, ignored);
  }
  return items;
}
