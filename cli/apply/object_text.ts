import { stringify } from "yaml";
import { objectLabel } from "../../k8s/manifests/manifest_objects.ts";

/** A format of objects for programs. */
export type ObjectFormat = "yaml" | "json" | "name";

/** Objects as kubectl prints them: one for itself, several as a List. */
export function objectsText(objects: readonly Record<string, unknown>[], format: ObjectFormat, managedFields: boolean): string {
  if (format === "name") {
    return objects.map((object) => {
      const { apiVersion, kind, metadata } = object as { apiVersion: string; kind: string; metadata: { name: string } };
      return `${objectLabel({ apiVersion, kind, name: metadata.name })}\n`;
    }).join("");
  }
  const shown = managedFields ? objects : objects.map(withoutManagedFields);
  const all = shown.length === 1 ? shown[0]! : { apiVersion: "v1", items: shown, kind: "List", metadata: {} };
  return format === "json" ? `${JSON.stringify(all, null, 4)}\n` : yamlText(all);
}

/** One object as YAML, its keys in order; what Kubernetes' tools would take for a truth value or a time is quoted. */
export function yamlText(object: unknown): string {
  return stringify(JSON.parse(JSON.stringify(object), exactIntegers), {
    lineWidth: 0,
    aliasDuplicateObjects: false,
    sortMapEntries: true,
    version: "1.1",
  });
}

/** The object without its book-keeping of who manages which field. */
export function withoutManagedFields(object: Record<string, unknown>): Record<string, unknown> {
  const { managedFields: _, ...metadata } = (object.metadata ?? {}) as Record<string, unknown>;
  return { ...object, metadata };
}

/** Integers that a JavaScript number would change become bigints, which YAML is written from. */
function exactIntegers(_key: string, value: unknown, ...[context]: { source?: string }[]): unknown {
  const source = context?.source ?? "";
  return typeof value === "number" && !Number.isSafeInteger(value) && /^-?\d+$/.test(source) ? BigInt(source) : value;
}
