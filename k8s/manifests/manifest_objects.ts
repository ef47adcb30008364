/** The Kubernetes objects of a manifest. Pure. */

import { isMap, isScalar, isSeq, type Node } from "yaml";
import { exactDigits, isObject } from "../api/exact_json.ts";
import { groupOf } from "./discovery.ts";
import { ValueError } from "./manifest_scalars.ts";
import { documentValue } from "./manifest_values.ts";
import type { ManifestText, Place, Remark } from "./manifest_text.ts";

/** An object and its place in the manifest. */
export interface ManifestObject extends Place {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  /** The namespace in its metadata. */
  readonly namespace: string | undefined;
  readonly body: ObjectBody;
  /** The place of a field that the API server names, or of the nearest one above it. */
  place(field: string): Place;
}

/** An object's own fields. */
export interface ObjectBody extends Record<string, unknown> {
  metadata: { name: string; namespace?: string; labels?: Record<string, string> | null } & Record<string, unknown>;
}

/**
 * Reads the objects of a manifest. The items of a List are separate objects.
 * @param isWanted everything else is skipped, whatever is wrong with it
 */
export function readObjects(
  { documents, place }: ManifestText,
  isWanted: (body: unknown) => boolean = () => true,
): { objects: ManifestObject[]; problems: Remark[] } {
  const objects: ManifestObject[] = [];
  const problems: Remark[] = [];
  for (const { document, base } of documents) {
    if (document.errors.length > 0) continue;
    const at = (node: Node | undefined) => place((node?.range?.[0] ?? 0) + base);
    try {
      const body = documentValue(document);
      if (body !== null) read(document.contents!, body, at);
    } catch (error) {
      if (!(error instanceof ValueError)) throw error;
      problems.push({ ...at(error.node ?? document.contents!), what: error.message });
    }
  }
  return { objects, problems };

  function read(node: Node | undefined, body: unknown, at: (node: Node | undefined) => Place): void {
    if (isObject(body) && typeof body.kind === "string" && body.kind.endsWith("List") && Array.isArray(body.items)) {
      const items = isMap(node) ? node.get("items", true) : undefined;
      body.items.forEach((item, index) => read(isSeq(items) ? items.items[index] as Node : node, item, at));
      return;
    }
    if (!isWanted(body)) return;
    if (!isObject(body)) {
      problems.push({ ...at(node), what: `this is not an object but ${nameOf(body)}` });
      return;
    }
    const wrong = check(body);
    if (wrong) {
      const { value, key } = nearest(node, wrong.keys);
      problems.push({ ...at(value ?? key), what: wrong.what });
      return;
    }
    const object = body as ObjectBody & { apiVersion: string; kind: string };
    const { apiVersion, kind, metadata: { name, namespace } } = object;
    const place = (field: string) => at(nearest(node, stepsOf(field)).key);
    objects.push({ ...at(node), apiVersion, kind, name, namespace: namespace || undefined, body: object, place });
  }
}

/** What is missing or has the wrong type, and where. */
function check(body: Record<string, unknown>): { keys: string[]; what: string } | undefined {
  for (const key of ["apiVersion", "kind"]) {
    if (body[key] === undefined || body[key] === null || body[key] === "") return { keys: [], what: `this object has no ${key}` };
    if (typeof body[key] !== "string") return { keys: [key], what: `${key} must be text, not ${nameOf(body[key])}` };
  }
  const what = `this ${body.kind}`;
  const { metadata } = body;
  if (metadata === undefined || metadata === null) return { keys: [], what: `${what} has no metadata.name` };
  if (!isObject(metadata)) return { keys: ["metadata"], what: `metadata must be a map, not ${nameOf(metadata)}` };
  const { name, namespace, labels, annotations, generateName } = metadata;
  if (name === undefined || name === null || name === "") {
    return generateName
      ? { keys: ["metadata", "generateName"], what: `${what} has generateName instead of name, and apply needs a name` }
      : { keys: ["metadata"], what: `${what} has no metadata.name` };
  }
  for (const [field, value] of Object.entries({ name, namespace: namespace ?? "" })) {
    if (typeof value !== "string") {
      return { keys: ["metadata", field], what: `metadata.${field} must be text, not ${nameOf(value)}; quote it` };
    }
  }
  for (const [field, map] of Object.entries({ labels, annotations })) {
    if (map === undefined || map === null) continue;
    if (!isObject(map)) return { keys: ["metadata", field], what: `metadata.${field} must be a map, not ${nameOf(map)}` };
    for (const [key, value] of Object.entries(map)) {
      if (value === null || typeof value === "string") continue;
      const what = `metadata.${field}: the value of ${key} must be text, not ${nameOf(value)}; quote it`;
      return { keys: ["metadata", field, key], what };
    }
  }
  return undefined;
}

/** The type of a value in words, with its text if it is a number or a boolean. */
export function nameOf(value: unknown): string {
  if (value === null || value === undefined) return "empty";
  if (Array.isArray(value)) return "a list";
  const digits = exactDigits(value);
  if (typeof value === "object" && digits === undefined) return "a map";
  const kind = typeof value === "boolean" ? "a boolean" : typeof value === "string" ? "text" : "a number";
  return `${kind} (${(digits ?? String(value)).slice(0, 40)})`;
}

/** The identity of an object: group, kind, namespace and name. */
export function objectKey(object: ManifestObject, namespace: string): string {
  return JSON.stringify([groupOf(object.apiVersion), object.kind, object.namespace ?? namespace, object.name]);
}

/** Kubectl's name of an object: `deployment.apps/web`. */
export function objectLabel({ apiVersion, kind, name }: { apiVersion: string; kind: string; name: string }): string {
  const group = groupOf(apiVersion);
  return `${kind.toLowerCase()}${group === "" ? "" : `.${group}`}/${name}`;
}

/** A step of a field's path: a field, the number of an item, or an item's keys. */
type Step = string | number | Readonly<Record<string, string>>;

/** The node at these steps, or else the nearest one above it: its value, and its key if it is in a map. */
function nearest(root: Node | undefined, steps: readonly Step[]): { value: Node | undefined; key: Node | undefined } {
  let [value, key]: [unknown, unknown] = [root, root];
  for (const step of steps) {
    if (isMap(value) && typeof step === "string") {
      const pair = value.items.find(({ key }) => isScalar(key) && String(key.value) === step);
      if (!pair) break;
      ({ value, key } = pair);
    } else if (isSeq(value) && typeof step !== "string") {
      // Of items with equal keys, the last one is the duplicate.
      const item = typeof step === "number" ? value.items[step] : value.items.findLast((item) => hasKeys(item, step));
      if (item === undefined) break;
      [value, key] = [item, item];
    } else break;
  }
  return { value: value as Node | undefined, key: key as Node | undefined };
}

/** The steps of a field as the API server names it: `.spec.containers[name="c"].env` or `spec.ports[1].name`. */
function stepsOf(field: string): Step[] {
  return [...field.matchAll(/\.?([^.[\]]+)|\[((?:"(?:[^"\\]|\\.)*"|[^\]"])*)\]/g)].map(([, name, inside = ""]) => {
    if (name !== undefined) return name;
    if (/^\d+$/.test(inside)) return Number(inside);
    const keys = [...inside.matchAll(/([^,=]+)=("(?:[^"\\]|\\.)*"|[^,]*)/g)];
    if (keys.length === 0) return inside;
    return Object.fromEntries(keys.map(([, key = "", value = ""]) => [key, value.startsWith('"') ? JSON.parse(value) : value]));
  });
}

function hasKeys(item: unknown, keys: Readonly<Record<string, string>>): boolean {
  return isMap(item) && Object.entries(keys).every(([key, wanted]) => {
    const value = item.get(key, true);
    return isScalar(value) && String(value.value) === wanted;
  });
}
