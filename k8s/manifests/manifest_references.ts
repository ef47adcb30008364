/**
 * References to source in manifests: `kurun://PATH` as a whole value. They are found by parsing and replaced in the text, so everything else
 * stays the same, byte for byte. Pure.
 */

import { isCollection, isMap, isPair, isScalar, parseDocument, type Scalar, visit } from "yaml";
import { plainValue } from "./manifest_scalars.ts";
import type { ManifestText, Place, Remark } from "./manifest_text.ts";

const SCHEME = "kurun://";
/** A reference is a whole value on one line. The path is taken literally, spaces included: nothing in it is decoded. */
const REFERENCE = /^kurun:\/\/\S(?:.*\S)?$/;
/** A reference with a missing slash. An image may be called `kurun:TAG`, so only paths count. */
const NEARLY = /^kurun:(?=\.{1,2}(?:\/|$)|\/(?!\/))/;

/** A value `kurun://PATH` in a manifest. */
export interface ManifestReference extends Place {
  /** What follows `kurun://`. */
  readonly path: string;
  /** The path from the root of its document, such as `spec.containers[0].image`. */
  readonly field: string;
  /** The index of its document. */
  readonly document: number;
  /** The range of the value with its quotes, as indices of the text. */
  readonly start: number;
  readonly end: number;
  readonly node: Scalar;
  /** Whether it is inside brackets. */
  readonly inFlow: boolean;
  /** Where the container says `imagePullPolicy: Always`, if it does. */
  readonly pullAlways: Place | undefined;
}

/**
 * Finds the references in objects of any kind, in the order of the text. A value with an anchor counts once, however many aliases it has. Keys
 * are not references, nor is text that only contains one, as multi-line strings and `last-applied-configuration` do.
 *
 * @returns also values that are meant as references but would reach the cluster unchanged
 */
export function findReferences({ text, documents, place }: ManifestText): { references: ManifestReference[]; mistakes: Remark[] } {
  const references: ManifestReference[] = [];
  const mistakes: Remark[] = [];
  // It can be written differently only with a backslash, as in JSON's \/.
  if (!text.includes("kurun:") && !text.includes("\\")) return { references, mistakes };
  documents.forEach(({ document, base }, index) => {
    visit(document, {
      Scalar(key, node, path) {
        const { value, range } = node;
        if (key === "key" || typeof value !== "string" || !value.startsWith("kurun:") || !range) return;
        const [start, end] = [range[0] + base, range[1] + base];
        const [map, pair] = path.slice(-2);
        const isImage = isPair(pair) && isScalar(pair.key) && pair.key.value === "image";
        if (REFERENCE.test(value)) {
          const policy = isImage && isMap(map) ? map.get("imagePullPolicy", true) : undefined;
          references.push({
            ...place(start),
            path: value.slice(SCHEME.length),
            field: fieldOf([...path, node]),
            document: index,
            start,
            end,
            node,
            inFlow: path.some((parent) => isCollection(parent) && parent.flow === true),
            pullAlways: isScalar(policy) && policy.value === "Always" ? place((policy.range?.[0] ?? 0) + base) : undefined,
          });
        } else if (NEARLY.test(value)) {
          const what = `${value} lacks a slash: ${value.trim().replace(NEARLY, SCHEME)} is built from source`;
          mistakes.push({ ...place(start), what });
        } else if (isImage && value.startsWith(SCHEME)) {
          const what = `${JSON.stringify(value)} names no source: write kurun://PATH in one line, without spaces around it`;
          mistakes.push({ ...place(start), what });
        }
      },
      // Skip keys that are collections: nothing in them is a value.
      Collection: (key) => key === "key" ? visit.SKIP : undefined,
    });
  });
  return { references, mistakes };
}

/** Replaces the references by values, in order. All other text stays the same, byte for byte, and so do the quotes around the values. */
export function spliceReferences(text: string, references: readonly ManifestReference[], values: readonly string[]): string {
  let spliced = "";
  let at = 0;
  references.forEach((reference, index) => {
    const written = text.slice(reference.start, reference.end);
    spliced += text.slice(at, reference.start) + rewritten(written, reference, values[index]!);
    at = reference.end;
  });
  return spliced + text.slice(at);
}

/** Replaces the references by values in the parsed documents themselves. */
export function resolveReferences(references: readonly ManifestReference[], values: readonly string[]): void {
  references.forEach(({ node }, index) => {
    node.value = values[index]!;
    // A value such as 12 or yes must stay text. How the reference is written stays known, for spliceReferences.
    node.tag = "tag:yaml.org,2002:str";
  });
}

/** The value in the style of the reference: with the same quotes or in the same block, and with new quotes if it needs them. */
function rewritten(written: string, { path, node, inFlow }: ManifestReference, value: string): string {
  if (node.type === "QUOTE_SINGLE" && isOneLine(value)) return `'${value.replaceAll("'", "''")}'`;
  if (node.type === "BLOCK_LITERAL" || node.type === "BLOCK_FOLDED") {
    if (isOneLine(value)) return written.replace(SCHEME + path, () => value);
    return JSON.stringify(value) + /(?:\r?\n)*$/.exec(written)![0];
  }
  // A JSON string is also a double-quoted scalar in YAML.
  return node.type === "PLAIN" && isPlain(value, inFlow) ? value : JSON.stringify(value);
}

/** Whether a value keeps its meaning in single quotes and in a block. */
function isOneLine(value: string): boolean {
  // deno-lint-ignore no-control-regex -- line breaks and what YAML does not allow
  return value !== "" && value.trim() === value && !/[\x00-\x1f\x7f\x85\u2028\u2029\ufeff]/.test(value);
}

/** Whether a value keeps its meaning without quotes. */
function isPlain(value: string, inFlow: boolean): boolean {
  if (!isOneLine(value) || /: |:$| #|^(?:---|\.\.\.|%)/.test(value) || (inFlow && /[[\]{},]|:["']/.test(value))) return false;
  const { contents, errors, warnings } = parseDocument(value, { schema: "failsafe", logLevel: "silent" });
  const isScalarItself = errors.length === 0 && warnings.length === 0 && isScalar(contents) && contents.type === "PLAIN";
  return isScalarItself && contents.value === value && plainValue(value) === value;
}

/** `spec.containers[0].image`, from the nodes that lead to a value. */
function fieldOf(path: readonly unknown[]): string {
  let field = "";
  path.forEach((parent, index) => {
    const inner = path[index + 1];
    if (isPair(parent)) {
      const name = isScalar(parent.key) ? String(parent.key.value) : "?";
      field += /^[\w-]+$/.test(name) ? `${field === "" ? "" : "."}${name}` : `[${JSON.stringify(name)}]`;
    } else if (isCollection(parent) && !isPair(inner)) {
      field += `[${(parent.items as unknown[]).indexOf(inner)}]`;
    }
  });
  return field;
}
