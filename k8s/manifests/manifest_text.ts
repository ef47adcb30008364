/** Reads a manifest's text, YAML or JSON, into documents that know where each value stands. Pure. */

import { type Document, isMap, isScalar, LineCounter, type Node, type Pair, parseAllDocuments, type ParsedNode, Scalar, visit } from "yaml";
import { BYTE_ORDER_MARK, manifestParts } from "./manifest_parts.ts";
import { ValueError } from "./manifest_scalars.ts";
import { findAnchors, isMerge, keyOf } from "./manifest_values.ts";

/** A place in a text; both start at 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** Something at a place. */
export interface Remark extends Place {
  readonly what: string;
}

/** One document of a manifest. All its scalars are text: `documentValue` says what they mean. */
export interface ManifestDocument {
  readonly document: Document<ParsedNode>;
  /** What is to be added to the offsets of its nodes. */
  readonly base: number;
}

/** A manifest's documents without the empty ones, and what is wrong with its text. */
export interface ManifestText {
  readonly text: string;
  readonly documents: readonly ManifestDocument[];
  readonly problems: readonly Remark[];
  /** What kubectl accepts silently and is most likely a mistake. */
  readonly warnings: readonly Remark[];
  /** The place of an offset. */
  place(offset: number): Place;
}

/**
 * The text of a manifest's bytes: UTF-8, or UTF-16 if a byte order mark says so, as Windows PowerShell writes it and kubectl reads it.
 * @returns the text with its byte order mark; undefined if the bytes are not valid
 */
export function decodeManifest(bytes: Uint8Array): string | undefined {
  const encoding = bytes[0] === 0xff && bytes[1] === 0xfe ? "utf-16le" : bytes[0] === 0xfe && bytes[1] === 0xff ? "utf-16be" : "utf-8";
  try {
    return new TextDecoder(encoding, { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** Reads a text, which may still have its byte order mark. */
export function readManifest(text: string): ManifestText {
  const place = places(text);
  const documents: ManifestDocument[] = [];
  const problems: Remark[] = [];
  const warnings: Remark[] = [];
  for (const { start, end } of manifestParts(text)) {
    const part = text.slice(start, end);
    const problem = (offset: number, what: string) => problems.push({ ...place(start + offset), what });
    if (/^---[^\s\ufeff]/.test(part)) {
      problem(0, "a line that begins with --- separates documents: only a comment may follow");
      continue;
    }
    const mark = /\n\ufeff/.exec(part);
    if (mark) {
      problem(mark.index + 1, "there is a byte order mark inside this document: remove it, or put --- before it");
      continue;
    }
    const [first, second] = parse(part, problem);
    if (!first) continue;
    for (const { message, pos: [offset] } of first.errors) problem(offset, message);
    documents.push({ document: first, base: start });
    if (second) {
      const what = "this follows the line ... and is ignored, as it is by kubectl: put --- before it";
      warnings.push({ ...place(start + (second.contents?.range[0] ?? 0)), what });
    }
    if (first.errors.length > 0) continue;
    for (const [{ source, range }, target] of findAnchors(first)) {
      if (!target) problem(range?.[0] ?? 0, `there is no anchor for the alias *${source}`);
    }
    findDuplicateKeys(first, (offset, key) => {
      warnings.push({ ...place(start + offset), what: `${key} occurs twice; the last one counts` });
    });
  }
  return { text, documents, problems, warnings, place };
}

/** The documents that are not empty. */
function parse(text: string, problem: (offset: number, what: string) => void): Document<ParsedNode>[] {
  try {
    const documents = parseWithDashes(text);
    for (const document of documents) joinColons(document, text);
    return documents.filter(({ contents, errors }) => errors.length > 0 || contents !== null && !isEmpty(contents));
  } catch (error) {
    // The parser calls itself for each level.
    if (!(error instanceof RangeError)) throw error;
    problem(0, "this document is nested too deeply");
    return [];
  }
}

/** Parses text with all scalars as text. */
function parseYaml(text: string): Document<ParsedNode>[] {
  const documents = parseAllDocuments(text, {
    schema: "failsafe",
    resolveKnownTags: false,
    uniqueKeys: false,
    strict: false,
    prettyErrors: false,
    logLevel: "silent",
  });
  return Array.isArray(documents) ? documents : [];
}

/** Stands for a dash while the text is parsed: as long, and in no manifest. */
const DASH = "\ue0d5";

/** Parses a text, a second time if there are dashes between brackets: `[tar, xf, -]` is valid YAML 1.1, as go-yaml reads it, and not 1.2. */
function parseWithDashes(text: string): Document<ParsedNode>[] {
  const documents = parseYaml(text);
  const dashes = documents.flatMap(({ errors }) => errors).flatMap(({ code, pos: [offset] }) =>
    code === "BLOCK_IN_FLOW" && text[offset] === "-" ? [offset] : []
  );
  if (dashes.length === 0) return documents;
  const characters = text.split("");
  for (const offset of dashes) characters[offset] = DASH;
  const again = parseYaml(characters.join(""));
  for (const document of again) {
    visit(document, {
      Scalar(_, node) {
        if (typeof node.value === "string" && node.value.includes(DASH)) node.value = node.value.replaceAll(DASH, "-");
      },
    });
  }
  return again;
}

/** Reads `[name:]` as the text `name:`, as YAML 1.1 does. In YAML 1.2 it is a key without a value. @param text of the document */
function joinColons(document: Document, text: string): void {
  visit(document, {
    Pair(_, pair, path) {
      const map = path.at(-1);
      if (isMap(map) && map.flow === true && takeColon(pair, text)) pair.value = null;
    },
    Seq(_, list) {
      list.items.forEach((item, index) => {
        if (!isMap(item) || item.flow !== true || item.range?.[0] !== (item.items[0]?.key as ParsedNode | undefined)?.range?.[0]) return;
        const [pair] = item.items;
        if (pair && takeColon(pair, text)) list.items[index] = pair.key;
      });
    },
  });
}

/** Appends the colon to a key without a value before a comma or a bracket. @returns whether it is one */
function takeColon({ key, value }: Pair, text: string): boolean {
  if (!isScalar(key) || key.type !== Scalar.PLAIN || !key.range) return false;
  const isEmpty = value === null || isScalar(value) && value.source === "" && value.type === Scalar.PLAIN;
  const end = key.range[1];
  if (!isEmpty || text[end] !== ":" || !/[,\]}]/.test(text[end + 1] ?? "")) return false;
  key.value += ":";
  return true;
}

function isEmpty(node: Node): boolean {
  return isScalar(node) && node.value === "" && node.type === Scalar.PLAIN && node.anchor === undefined && node.tag === undefined;
}

function findDuplicateKeys(document: Document, found: (offset: number, key: string) => void): void {
  visit(document, {
    Map(_, map) {
      const keys = new Set<string>();
      for (const { key: node } of map.items) {
        // A merge key may be there several times.
        if (!isScalar(node) || isMerge(node)) continue;
        try {
          const key = keyOf(node);
          if (keys.has(key)) found(node.range?.[0] ?? 0, key);
          keys.add(key);
        } catch (error) {
          // Reading the document's value reports a key that cannot be one.
          if (!(error instanceof ValueError)) throw error;
        }
      }
    },
  });
}

/** Tells the line and column of offsets. A byte order mark has no column. */
function places(text: string): (offset: number) => Place {
  const lines = new LineCounter();
  lines.addNewLine(0);
  for (const { index } of text.matchAll(/\n/g)) lines.addNewLine(index + 1);
  return (offset) => {
    const { line, col } = lines.linePos(offset);
    const mark = text[lines.lineStarts[line - 1]!] === BYTE_ORDER_MARK ? 1 : 0;
    return { line, column: Math.max(col - mark, 1) };
  };
}
