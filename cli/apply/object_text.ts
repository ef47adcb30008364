import { Document, visit } from "yaml";
import { escapeCharacter, SPECIAL_IN_YAML } from "../../k8s/api/exact_json.ts";
import { plainValue } from "../../k8s/manifests/manifest_scalars.ts";
import { objectLabel } from "../../k8s/manifests/manifest_objects.ts";

/** An output format for programs. */
export type ObjectFormat = "yaml" | "json" | "name";

/** Objects as kubectl prints them: a single one by itself, several as a List. */
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

/**
 * An object as YAML with sorted keys. Text that kubectl's YAML reader would take for something else is quoted: `yes`, `0x1f`,
 * control characters.
 */
export function yamlText(object: unknown): string {
  const document = new Document(JSON.parse(JSON.stringify(object), exactIntegers), {
    aliasDuplicateObjects: false,
    sortMapEntries: true,
  });
  visit(document, {
    Scalar(_, node) {
      if (typeof node.value === "string" && needsQuotes(node.value)) node.type = "QUOTE_DOUBLE";
    },
  });
  // These characters occur only inside double quotes, where an escape sequence means the same.
  return document.toString({ lineWidth: 0 }).replace(SPECIAL_IN_YAML, escapeCharacter);
}

/** Whether kubectl's YAML reader would misread the text without quotes, plain or as a block. */
function needsQuotes(text: string): boolean {
  return plainValue(text) !== text || text === "<<" || /^\s|\r|\n[^\S\n]+(?:\n|$)/.test(text) || text.search(SPECIAL_IN_YAML) >= 0;
}

/** Turns integers that a JavaScript number would change into bigints, which the YAML writer prints exactly. */
function exactIntegers(_key: string, value: unknown, ...[context]: { source?: string }[]): unknown {
  const source = context?.source ?? "";
  return typeof value === "number" && !Number.isSafeInteger(value) && /^-?\d+$/.test(source) ? BigInt(source) : value;
}

/** The object without `metadata.managedFields`. */
export function withoutManagedFields(object: Record<string, unknown>): Record<string, unknown> {
  const { managedFields: _, ...metadata } = (object.metadata ?? {}) as Record<string, unknown>;
  return { ...object, metadata };
}
