import { Document, visit } from "yaml";
import { escapeCharacter, parseJson, SPECIAL_IN_YAML } from "../../k8s/api/exact_json.ts";
import { plainValue } from "../../k8s/manifests/manifest_scalars.ts";
import { objectLabel } from "../../k8s/manifests/manifest_objects.ts";

/** Objects as kubectl prints them: a single one by itself, several as a List. */
export function objectsText(objects: readonly Record<string, unknown>[], format: "yaml" | "json" | "name", managedFields: boolean): string {
  if (format === "name") {
    const named = objects as readonly { apiVersion: string; kind: string; metadata: { name: string } }[];
    return named.map(({ apiVersion, kind, metadata: { name } }) => `${objectLabel({ apiVersion, kind, name })}\n`).join("");
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
  // The YAML writer prints a bigint with all its digits.
  const document = new Document(parseJson(JSON.stringify(object), BigInt), { aliasDuplicateObjects: false, sortMapEntries: true });
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

/** The object without `metadata.managedFields`. */
export function withoutManagedFields(object: Record<string, unknown>): Record<string, unknown> {
  const { managedFields: _, ...metadata } = (object.metadata ?? {}) as Record<string, unknown>;
  return { ...object, metadata };
}
