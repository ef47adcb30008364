/**
 * The values of a parsed document, as kubectl (sigs.k8s.io/yaml over go-yaml v2) makes them: keys are text, of equal keys the last one
 * counts, and a merge key (`<<`) overwrites what stands before it. Pure.
 */

import { type Alias, type Document, isAlias, isMap, isScalar, isSeq, type Node, type Pair, Scalar, visit, type YAMLMap } from "yaml";
import { jsonNumber, keyText, type ScalarValue, scalarValue, ValueError } from "./manifest_scalars.ts";

/** What each alias of a document stands for: the last anchor of its name before it; undefined if there is none. */
export function findAnchors(document: Document): Map<Alias, Node | undefined> {
  const anchors = new Map<string, Node>();
  const targets = new Map<Alias, Node | undefined>();
  visit(document, {
    Node(_, node) {
      if (isAlias(node)) targets.set(node, anchors.get(node.source));
      else if (node.anchor !== undefined) anchors.set(node.anchor, node as Node);
    },
  });
  return targets;
}

/** The value of a document. @throws ValueError if JSON lacks one of its values, or it is an alias bomb */
export function documentValue(document: Document): unknown {
  return new Decoder(findAnchors(document)).value(document.contents);
}

/** A key as text. @throws ValueError if it cannot be a key */
export function keyOf(node: Scalar): string {
  const key = keyText(scalarOf(node));
  if (key === undefined) throw new ValueError(`a key cannot be ${node.value === "" ? "empty" : node.value}: quote it`);
  return key;
}

/** Whether a key takes in another map's keys. */
export function isMerge(key: unknown): boolean {
  if (!isScalar(key) || key.value !== "<<") return false;
  return key.tag === undefined ? key.type === Scalar.PLAIN : key.tag === "!" || key.tag === "tag:yaml.org,2002:merge";
}

function scalarOf(node: Scalar): ScalarValue {
  return scalarValue(String(node.value), node.tag, node.type === Scalar.PLAIN);
}

/** So many aliases are always allowed, and any number in a document with fewer values than this. */
const FREE_ALIASES = 100;
const FREE_VALUES = 1_000;
/** Above this many values, a smaller part of them may come from aliases. */
const MANY_VALUES = 400_000;
const TOO_MANY_VALUES = 4_000_000;

/** Which part of the values may come from aliases: go-yaml's limits, against documents that are made to fill the memory. */
function maxAliasRatio(values: number): number {
  const excess = Math.min(Math.max(values - MANY_VALUES, 0) / (TOO_MANY_VALUES - MANY_VALUES), 1);
  return 0.99 - 0.89 * excess;
}

class Decoder {
  /** Aliases that are being followed. */
  readonly #open = new Set<Alias>();
  #values = 0;
  #fromAliases = 0;

  constructor(readonly targets: ReadonlyMap<Alias, Node | undefined>) {}

  value(node: unknown): unknown {
    this.#count(node);
    if (isAlias(node)) return this.#follow(node, (target) => this.value(target));
    if (isMap(node)) return this.#fill(node, {});
    if (isSeq(node)) return node.items.map((item) => this.value(item));
    if (!isScalar(node)) return null;
    return at(node, () => {
      const value = scalarOf(node);
      return typeof value === "bigint" || typeof value === "number" ? jsonNumber(value) : value;
    });
  }

  #fill(map: YAMLMap, object: Record<string, unknown>): Record<string, unknown> {
    for (const { key, value } of map.items as Pair[]) {
      if (isMerge(key)) this.#merge(value, key as Scalar, object);
      else {
        const text = this.#key(key);
        // An assignment would lose a key __proto__.
        Object.defineProperty(object, text, { value: this.value(value), configurable: true, enumerable: true, writable: true });
      }
    }
    return object;
  }

  #key(key: unknown): string {
    this.#count(key);
    if (isAlias(key)) return this.#follow(key, (target) => this.#key(target));
    if (isMap(key) || isSeq(key)) throw new ValueError("a key cannot be a map or a list", key as Node);
    return isScalar(key) ? at(key, () => keyOf(key)) : at(undefined, () => keyOf(new Scalar("")));
  }

  #merge(source: unknown, key: Scalar, object: Record<string, unknown>): void {
    const target = isAlias(source) ? this.targets.get(source) : source;
    if (isMap(target)) {
      this.#count(source);
      if (isAlias(source)) this.#follow(source, () => this.#fill(target, object));
      else this.#fill(target, object);
    } else if (isSeq(source) && !source.items.some(isSeq)) {
      // The first map of a list wins.
      for (const item of source.items.toReversed()) this.#merge(item, key, object);
    } else throw new ValueError("<< takes a map or a list of maps", key);
  }

  #follow<T>(alias: Alias, read: (target: Node) => T): T {
    const target = this.targets.get(alias);
    if (!target) throw new ValueError(`there is no anchor for the alias *${alias.source}`, alias);
    if (this.#open.has(alias)) throw new ValueError(`the alias *${alias.source} contains itself`, alias);
    this.#open.add(alias);
    try {
      return read(target);
    } finally {
      this.#open.delete(alias);
    }
  }

  #count(node: unknown): void {
    this.#values++;
    if (this.#open.size > 0) this.#fromAliases++;
    const [all, fromAliases] = [this.#values, this.#fromAliases];
    if (fromAliases > FREE_ALIASES && all > FREE_VALUES && fromAliases / all > maxAliasRatio(all)) {
      throw new ValueError("too many values come from aliases", node as Node);
    }
  }
}

/** Adds the node to errors about its value. */
function at<T>(node: Node | undefined, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof ValueError && node) error.node ??= node;
    throw error;
  }
}
