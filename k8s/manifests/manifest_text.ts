/**
 * Reads a manifest's text, YAML or JSON, into documents that know where each value stands. Pure.
 *
 * @module
 */

import { type Document, isScalar, type Node, parseAllDocuments, type ParsedNode, visit } from "yaml";
import { PLAIN_TAGS } from "./manifest_scalars.ts";

/** A place in a text; both start at 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** Something at a place. */
export interface Remark extends Place {
  readonly what: string;
}

/** One document of a manifest. */
export interface ManifestDocument {
  readonly document: Document<ParsedNode>;
  /** What is to be added to its nodes' offsets. */
  readonly base: number;
}

/** A manifest's documents, empty ones left out, and what is wrong with its text. */
export interface ManifestText {
  readonly text: string;
  readonly documents: readonly ManifestDocument[];
  readonly problems: readonly Remark[];
  /** What kubectl accepts without a word and is most likely a mistake. */
  readonly warnings: readonly Remark[];
  /** Where an offset is. */
  place(offset: number): Place;
}

const BYTE_ORDER_MARK = "\ufeff";

/** Reads a text; a file's byte order mark may still be there. */
export function readManifest(text: string): ManifestText {
  const place = places(text);
  const documents: ManifestDocument[] = [];
  const problems: Remark[] = [];
  const warnings: Remark[] = [];
  for (const { text: part, base } of parts(text)) {
    for (const document of parse(part)) {
      for (const { message, pos: [offset] } of document.errors) problems.push({ ...place(offset + base), what: message });
      if (document.contents === null || isEmpty(document.contents)) continue;
      documents.push({ document, base });
      if (document.errors.length > 0) continue;
      for (const { name, offset } of missingAnchors(document)) {
        problems.push({ ...place(offset + base), what: `there is no anchor for the alias *${name}` });
      }
      for (const { key, offset } of duplicateKeys(document)) {
        warnings.push({ ...place(offset + base), what: `${key} is there twice: the last one counts` });
      }
    }
  }
  return { text, documents, problems, warnings, place };
}

function parse(text: string): Document<ParsedNode>[] {
  const documents = parseAllDocuments(text, {
    schema: "failsafe",
    customTags: PLAIN_TAGS,
    merge: true,
    uniqueKeys: false,
    strict: false,
    prettyErrors: false,
    logLevel: "silent",
  });
  return Array.isArray(documents) ? documents : [];
}

/** The text as it is to be parsed: JSON's values each for itself, since several may follow one another, else all of it. */
function parts(text: string): { text: string; base: number }[] {
  const start = text.startsWith(BYTE_ORDER_MARK) ? 1 : 0;
  if (!/^\s*[{[]/.test(text.slice(start, start + 1000))) return [{ text, base: 0 }];
  const values = jsonValues(text, start);
  if (values === undefined) return [{ text, base: 0 }];
  return values.map(([from, to]) => ({ text: text.slice(from, to), base: from }));
}

/** The offsets of JSON values that follow one another; undefined where it is not all JSON. */
function jsonValues(text: string, start: number): [number, number][] | undefined {
  const values: [number, number][] = [];
  let depth = 0;
  let from = start;
  for (const { 0: token, index } of text.slice(start).matchAll(/"(?:[^"\\]|\\.)*"|[{[]|[}\]]/g)) {
    if (token === "{" || token === "[") {
      if (depth++ === 0) from = start + index;
    } else if (token === "}" || token === "]") {
      if (--depth === 0) values.push([from, start + index + 1]);
    }
  }
  let end = start;
  for (const [from, to] of values) {
    if (text.slice(end, from).trim() !== "" || !isJson(text.slice(from, to))) return undefined;
    end = to;
  }
  return values.length > 0 && text.slice(end).trim() === "" ? values : undefined;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function isEmpty(node: Node): boolean {
  return isScalar(node) && node.value === null && node.source === "" && node.anchor === undefined;
}

function missingAnchors(document: Document): { name: string; offset: number }[] {
  const found: { name: string; offset: number }[] = [];
  visit(document, {
    Alias(_, alias) {
      if (alias.resolve(document) === undefined) found.push({ name: alias.source, offset: alias.range?.[0] ?? 0 });
    },
  });
  return found;
}

function duplicateKeys(document: Document): { key: string; offset: number }[] {
  const found: { key: string; offset: number }[] = [];
  visit(document, {
    Map(_, map) {
      const keys = new Set<unknown>();
      for (const { key } of map.items) {
        // A merge key may be there several times.
        if (!isScalar(key) || key.value === "<<" || typeof key.value === "symbol") continue;
        if (keys.has(key.value)) found.push({ key: String(key.value), offset: key.range?.[0] ?? 0 });
        keys.add(key.value);
      }
    },
  });
  return found;
}

/** Tells line and column of offsets. A byte order mark has no column. */
function places(text: string): (offset: number) => Place {
  const starts = [text.startsWith(BYTE_ORDER_MARK) ? 1 : 0];
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return (offset) => {
    let [low, high] = [0, starts.length];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (starts[middle]! <= offset) low = middle;
      else high = middle;
    }
    return { line: low + 1, column: Math.max(offset - starts[low]!, 0) + 1 };
  };
}
