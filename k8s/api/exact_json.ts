// Kubernetes has integers of 64 bits, and a JavaScript number holds 53: one that would change is an object that `JSON.stringify` writes as it
// was read (`JSON.rawJSON`).
const json = JSON as unknown as { rawJSON(text: string): unknown; isRawJSON(value: unknown): value is { readonly rawJSON: string } };

/** A number that `JSON.stringify` writes with exactly these digits. */
export function exactNumber(text: string): unknown {
  return json.rawJSON(text);
}

/** The digits of an {@linkcode exactNumber}; undefined for everything else. */
export function exactDigits(value: unknown): string | undefined {
  return json.isRawJSON(value) ? value.rawJSON : undefined;
}

/** A JSON object. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** Whether a value is a JSON object. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) && exactDigits(value) === undefined;
}

/** Reads JSON. Integers that a JavaScript number would change go through `exact`. @throws SyntaxError */
export function parseJson(text: string, exact: (digits: string) => unknown = exactNumber): unknown {
  // A reviver makes parsing three times as slow, and few texts have so long a number.
  if (!/\d{16}/.test(text)) return JSON.parse(text);
  return JSON.parse(text, (_key: string, value: unknown, ...[context]: { source?: string }[]) => {
    const source = context?.source ?? "";
    return typeof value === "number" && !Number.isSafeInteger(value) && /^-?\d+$/.test(source) ? exact(source) : value;
  });
}

/** Characters that YAML parsers treat specially, and JSON does not: line breaks of YAML 1.1, C1 controls, DEL and the byte order mark. */
export const SPECIAL_IN_YAML = /[\x7f-\x9f\u2028\u2029\ufeff]/g;

/**
 * JSON that YAML 1.1 parsers read as the same value. The API server reads the body of a server-side apply by a YAML parser: U+0085, U+2028
 * and U+2029 would become spaces, and DEL would be refused.
 */
export function yamlSafeJson(value: unknown): string {
  return JSON.stringify(value).replace(SPECIAL_IN_YAML, escapeCharacter);
}

/** `\u0085`, as JSON and YAML's double quotes have it. */
export function escapeCharacter(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
