/**
 * Plain scalars between brackets that go-yaml reads by YAML 1.1 and this project's parser by YAML 1.2: `[tar, xf, -]` has a dash, which
 * YAML 1.2 forbids, and `[name:]` the text `name:`, which YAML 1.2 takes for a key without a value. Pure.
 *
 * @module
 */

import { type Document, isMap, isScalar, type Pair, type ParsedNode, Scalar, visit } from "yaml";

/** Stands for a dash while the text is parsed: as long, and in no manifest. */
const DASH = "\ue0d5";

/** Parses a text, a second time where there are dashes between brackets. */
export function parseWithDashes(text: string, parse: (text: string) => Document<ParsedNode>[]): Document<ParsedNode>[] {
  const documents = parse(text);
  const dashes = documents.flatMap(({ errors }) => errors).flatMap(({ code, pos: [offset] }) =>
    code === "BLOCK_IN_FLOW" && text[offset] === "-" ? [offset] : []
  );
  if (dashes.length === 0) return documents;
  const characters = text.split("");
  for (const offset of dashes) characters[offset] = DASH;
  const again = parse(characters.join(""));
  for (const document of again) {
    visit(document, {
      Scalar(_, node) {
        if (typeof node.value === "string" && node.value.includes(DASH)) node.value = node.value.replaceAll(DASH, "-");
      },
    });
  }
  return again;
}

/** Makes `name:` before a comma or a bracket the text that go-yaml reads. @param text what the document was parsed from */
export function joinColons(document: Document, text: string): void {
  visit(document, {
    Pair(_, pair, path) {
      const map = path.at(-1);
      if (!isMap(map) || map.flow !== true || !endsInColon(pair, text)) return;
      const key = pair.key as Scalar<string>;
      key.value += ":";
      pair.value = null;
    },
    Seq(_, list) {
      list.items.forEach((item, index) => {
        if (!isMap(item) || item.flow !== true || item.range?.[0] !== (item.items[0]?.key as ParsedNode | undefined)?.range?.[0]) return;
        const [pair] = item.items;
        if (!pair || !endsInColon(pair, text)) return;
        const key = pair.key as Scalar<string>;
        key.value += ":";
        list.items[index] = key;
      });
    },
  });
}

function endsInColon({ key, value }: Pair, text: string): boolean {
  if (!isScalar(key) || key.type !== Scalar.PLAIN || !key.range) return false;
  const isEmpty = value === null || isScalar(value) && value.source === "" && value.type === Scalar.PLAIN;
  const end = key.range[1];
  return isEmpty && text[end] === ":" && /[,\]}]/.test(text[end + 1] ?? "");
}
