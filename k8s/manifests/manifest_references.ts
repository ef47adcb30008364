/**
 * References to source in manifests: `kurun://PATH` as a whole value. They are found by parsing and replaced in the text, so that all that is
 * none stays byte for byte. Pure.
 *
 * @module
 */

import { isCollection, isMap, isPair, isScalar, parseDocument, type Scalar, visit } from "yaml";
import { plainValue } from "./manifest_scalars.ts";
import type { ManifestText, Place, Remark } from "./manifest_text.ts";

const SCHEME = "kurun://";
/** A whole value in one line. The path is taken as it is, spaces included: nothing in it is decoded. */
const REFERENCE = /^kurun:\/\/\S(?:.*\S)?$/;
/** What is meant as a reference and is none: a slash is missing. */
const NEARLY = /^kurun:(?=\.{1,2}(?:\/|$)|\/(?!\/))/;

/** A value `kurun://PATH` in a manifest. */
export interface ManifestReference extends Place {
  /** What follows `kurun://`. */
  readonly path: string;
  /** What leads to it from its document's root, such as `spec.containers[0].image`. */
  readonly field: string;
  /** The index of its document. */
  readonly document: number;
  /** The value with its quotes, as indices of the text. */
  readonly start: number;
  readonly end: number;
  readonly node: Scalar;
  /** Whether it stands between brackets. */
  readonly inFlow: boolean;
  /** Where the container says `imagePullPolicy: Always`, if it does. */
  readonly pullAlways: Place | undefined;
}

/**
 * Finds the references in objects of any kind, in the order of the text; a value with an anchor once, however many aliases it has. Keys are
 * none, nor is text that only contains such a value, as multi-line strings and `last-applied-configuration` do.
 */
export function findReferences({ text, documents, place }: ManifestText): ManifestReference[] {
  // Only with a backslash, as in JSON's \/, could it be written in another way.
  if (!text.includes(SCHEME) && !text.includes("\\")) return [];
  return documents.flatMap(({ document, base }, index) => {
    const found: ManifestReference[] = [];
    visit(document, {
      Scalar(key, node, path) {
        if (key === "key" || typeof node.value !== "string" || !REFERENCE.test(node.value) || !node.range) return;
        const [start, end] = [node.range[0] + base, node.range[1] + base];
        found.push({
          ...place(start),
          path: node.value.slice(SCHEME.length),
          field: fieldOf([...path, node]),
          document: index,
          start,
          end,
          node,
          inFlow: path.some((parent) => isCollection(parent) && parent.flow === true),
          pullAlways: pullAlways(path, (offset) => place(offset + base)),
        });
      },
      // A key that is a collection has no values.
      Collection: (key) => key === "key" ? visit.SKIP : undefined,
    });
    return found;
  });
}

/** Where the map that has the reference as its image says `imagePullPolicy: Always`. */
function pullAlways(path: readonly unknown[], place: (offset: number) => Place): Place | undefined {
  const [map, pair] = path.slice(-2);
  if (!isMap(map) || !isPair(pair) || !isScalar(pair.key) || pair.key.value !== "image") return undefined;
  const policy = map.get("imagePullPolicy", true);
  return isScalar(policy) && policy.value === "Always" ? place(policy.range?.[0] ?? 0) : undefined;
}

/** Values that are meant as references and would reach the cluster as they are. */
export function findMistakenReferences({ text, documents, place }: ManifestText): Remark[] {
  if (!text.includes("kurun:")) return [];
  const found: Remark[] = [];
  for (const { document, base } of documents) {
    visit(document, {
      Scalar(key, { value, range }, path) {
        if (key === "key" || typeof value !== "string" || !value.startsWith("kurun:") || REFERENCE.test(value)) return;
        const pair = path.at(-1);
        const isImage = isPair(pair) && isScalar(pair.key) && pair.key.value === "image";
        const what = (told: string) => found.push({ ...place((range?.[0] ?? 0) + base), what: told });
        if (NEARLY.test(value)) what(`${value} lacks a slash: ${value.trim().replace(NEARLY, SCHEME)} is built from source`);
        else if (isImage && value.startsWith(SCHEME)) {
          what(`${JSON.stringify(value)} names no source: write kurun://PATH in one line, without spaces around it`);
        }
      },
    });
  }
  return found;
}

/** Puts values in the references' place, in their order. All other text stays as it is, to the byte; so do the quotes around the values. */
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

/** Puts values in the references' place in the parsed documents themselves. */
export function resolveReferences(references: readonly ManifestReference[], values: readonly string[]): void {
  references.forEach(({ node }, index) => {
    node.value = values[index]!;
    // A value such as 12 or yes is text, too.
    node.type = "QUOTE_DOUBLE";
    delete node.tag;
  });
}

/** The value as the reference was written: with the same quotes or in the same block, with new ones where it needs them. */
function rewritten(written: string, { path, node, inFlow }: ManifestReference, value: string): string {
  if (node.type === "QUOTE_SINGLE" && isOneLine(value)) return `'${value.replaceAll("'", "''")}'`;
  if (node.type === "BLOCK_LITERAL" || node.type === "BLOCK_FOLDED") {
    if (isOneLine(value)) return written.replace(SCHEME + path, () => value);
    return JSON.stringify(value) + /(?:\r?\n)*$/.exec(written)![0];
  }
  // What JSON writes is a double-quoted scalar of YAML too.
  return node.type === "PLAIN" && isPlain(value, inFlow) ? value : JSON.stringify(value);
}

/** Whether a value means itself in single quotes and in a block. */
function isOneLine(value: string): boolean {
  // deno-lint-ignore no-control-regex -- line breaks and what YAML does not allow
  return value !== "" && value.trim() === value && !/[\x00-\x1f\x7f\x85\u2028\u2029\ufeff]/.test(value);
}

/** Whether a value means itself without quotes, wherever it stands. */
function isPlain(value: string, inFlow: boolean): boolean {
  if (!isOneLine(value) || /: |:$| #|^(?:---|\.\.\.|%)/.test(value) || (inFlow && /[[\]{},]|:["']/.test(value))) return false;
  const { contents, errors, warnings } = parseDocument(value, { schema: "failsafe", logLevel: "silent" });
  const isScalarItself = errors.length === 0 && warnings.length === 0 && isScalar(contents) && contents.type === "PLAIN";
  return isScalarItself && contents.value === value && plainValue(value) === value;
}

/** `spec.containers[0].image`, out of the nodes that lead to a value. */
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
