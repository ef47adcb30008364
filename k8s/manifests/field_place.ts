/**
 * Where a field that the API server names stands in a manifest. Pure.
 *
 * @module
 */

import { isMap, isScalar, isSeq, type Node } from "yaml";

/** A step of a field's path: a field, the number of an item, or an item's keys. */
type Step = string | number | Readonly<Record<string, string>>;

/**
 * The node of a field, `.spec.containers[name="c"].env` or `spec.ports[1].name`; if it is missing, the nearest one above it. A field of
 * a map is found at its key.
 */
export function fieldNode(root: Node | undefined, field: string): Node | undefined {
  return nearest(root, stepsOf(field)).place;
}

/** The node of the value at `keys`, or of the nearest field above it that exists. */
export function valueNode(root: Node | undefined, keys: readonly string[]): Node | undefined {
  const { value, place } = nearest(root, keys);
  return value ?? place;
}

function nearest(root: Node | undefined, steps: readonly Step[]): { value: Node | undefined; place: Node | undefined } {
  let [value, place]: [unknown, unknown] = [root, root];
  for (const step of steps) {
    if (isMap(value) && typeof step === "string") {
      const pair = value.items.find(({ key }) => isScalar(key) && String(key.value) === step);
      if (!pair) break;
      [value, place] = [pair.value, pair.key];
    } else if (isSeq(value) && typeof step !== "string") {
      // Of items with equal keys, the last one is the duplicate.
      const item = typeof step === "number" ? value.items[step] : value.items.findLast((item) => hasKeys(item, step));
      if (item === undefined) break;
      [value, place] = [item, item];
    } else break;
  }
  return { value: value as Node | undefined, place: place as Node | undefined };
}

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
