import assert from "node:assert/strict";
import { findReferences as find, type ManifestReference, resolveReferences, spliceReferences } from "./manifest_references.ts";
import { readManifest, type Remark } from "./manifest_text.ts";
import { SeededRandom } from "../../tests/seeded_random.ts";

const IMAGE = "registry.example:5000/team/app@sha256:0123456789abcdef";

function findReferences(text: string): { references: ManifestReference[]; faults: readonly Remark[] } {
  const manifest = readManifest(text);
  return { references: find(manifest).references, faults: manifest.problems };
}

/** Replaces all references by IMAGE. */
function resolve(text: string): string {
  const { references, faults } = findReferences(text);
  assert.deepEqual(faults, []);
  return spliceReferences(text, references, references.map(() => IMAGE));
}

/** A text in which `«PATH»` stands for each value that must be found, in the order of the text, and nothing else may change. */
function finds(title: string, marked: string): void {
  Deno.test(title, () => {
    const text = marked.replace(/«([^»]*)»/g, "kurun://$1");
    const { references, faults } = findReferences(text);
    assert.deepEqual(faults, []);
    assert.deepEqual(references.map(({ path }) => path), [...marked.matchAll(/«([^»]*)»/g)].map(([, path]) => path));
    assert.equal(resolve(text), marked.replace(/«[^»]*»/g, IMAGE));
  });
}

finds(
  "references are found in objects of any kind, in lists and in arguments",
  "kind: Thing\nspec:\n  initContainers:\n  - {name: a, image: «./cmd/init», args: [--run, «../b»]} # kept\n  my.field: «/abs/c»   # kept\n",
);
finds("quotes stay as they are", `a: "«./x»"\nb: '«./y»'\nc: «./z»\n`);
finds("an alias is replaced at its anchor", "a: &app «./app»\nb: *app\nc: !!str «./tagged»\n");
finds("keys are not references, not even inside complex keys", "kurun://./key: 1\n? {a: kurun://./deep}\n: «./value»\n");
finds(
  "text that only contains a reference stays",
  "a: |\n  kurun://./block\nb: >\n  image: kurun://./folded\nc: see kurun://./sentence\nd: kurun:// is a scheme\ne: kurun://\n# kurun://./comment\nf: «./x»\n",
);
finds(
  "the last-applied annotation stays as it is",
  `metadata:\n  annotations:\n    kubectl.kubernetes.io/last-applied-configuration: |\n      {"spec":{"image":"kurun://./old"}}\nspec: {image: «./new»}\n`,
);
finds("CRLF line ends and a byte order mark stay", "\uFEFFa: «./x»\r\nb: |\r\n  kurun://./no\r\n---\r\nc: '«./y»'\r\n");
finds("a line of dashes inside a string does not separate documents", "a: |\n  ---\n  kurun://./no\nb: «./x»\n---\nc: «./y»\n...\n---\n");
finds("equal keys in one map do not end the search", "a: «./x»\na: «./y»\n");
finds("references are found in JSON, with tabs and without a final newline", '{\n\t"items": [{"image": "«./x»"},\t{"image":"«./y»"}]}');
finds("a document without an end and an empty one", "---\n---\na: «./x»");

Deno.test("a block scalar that is only a reference stays a block", () => {
  assert.equal(resolve("a: |- # c\n  kurun://./x\nb: 1\n"), `a: |- # c\n  ${IMAGE}\nb: 1\n`);
  assert.equal(resolve("a: >-\r\n  kurun://./x\r\n\r\nb: 1\r\n"), `a: >-\r\n  ${IMAGE}\r\n\r\nb: 1\r\n`);
});

Deno.test("JSON's escaped slashes are read, and a value that needs quotes gets them", () => {
  assert.equal(resolve('{"a": "kurun:\\/\\/.\\/x"}'), `{"a": "${IMAGE}"}`);
  const text = "a: kurun://./x\nb: 'kurun://./y'\n";
  const { references } = findReferences(text);
  assert.equal(spliceReferences(text, references, ["x: '#", "y: '#"]), `a: "x: '#"\nb: 'y: ''#'\n`);
  assert.equal(spliceReferences(text, references, ["12", "yes"]), `a: "12"\nb: 'yes'\n`);
});

Deno.test("a reference knows its field", () => {
  const { references } = findReferences("spec:\n  a.b: [x, {image: kurun://./x}]\n  c:\n  - - kurun://./y\n---\n- kurun://./z\n");
  assert.deepEqual(references.map(({ field, document }) => [field, document]), [
    ['spec["a.b"][1].image', 0],
    ["spec.c[0][0]", 0],
    ["[0]", 1],
  ]);
});

Deno.test("a reference knows its line and column as editors count them", () => {
  const { references } = findReferences("\uFEFFa: kurun://./x\r\nlist:\r\n- 'kurun://./y'\r\n---\r\nb: kurun://./z\r\n");
  assert.deepEqual(references.map(({ line, column }) => [line, column]), [[1, 4], [3, 3], [5, 4]]);
});

Deno.test("a text without references is the same text", () => {
  const text = '\uFEFF%YAML 1.2\r\n---\r\n{a:   [1 ,2],\r\n b: !x "\\u0041"} # c\r\n\t\r\n';
  assert.equal(resolve(text), text);
});

Deno.test("all syntax errors are reported with their places", () => {
  const { faults } = findReferences("a: [1\nb: 2\n---\nc: 'x' y\n---\nd: *nowhere\n---\ne: 1\n");
  assert.deepEqual([...new Set(faults.map(({ line }) => line))], [2, 4, 6]);
  assert.ok(faults.some(({ column, what }) => column === 4 && what.includes("*nowhere")), JSON.stringify(faults));
});

/** Writes random values, some of them references, as YAML in random styles. */
class RandomManifest {
  readonly #random: SeededRandom;
  /** What the references are, in the order of the text. */
  readonly paths: string[] = [];

  constructor(seed: number) {
    this.#random = new SeededRandom(seed);
  }

  text(): string {
    const newline = this.#random.chance(0.2) ? "\r\n" : "\n";
    const documents = Array.from({ length: 1 + this.#random.below(3) }, () => this.#map(0).replace(/^\n/, ""));
    const text = documents.join(this.#random.pick(["---\n", "--- # next\n", "...\n---\n"]));
    return (this.#random.chance(0.1) ? "\uFEFF" : "") + text.replaceAll("\n", newline);
  }

  #map(depth: number): string {
    const indent = "  ".repeat(depth);
    const keys = ["image", "a.b/c", '"quoted key"', "kurun://./key", "args", "80", "on"].filter(() => this.#random.chance(0.6));
    return `\n${keys.map((key) => `${indent}${key}:${this.#value(depth + 1)}`).join("")}${indent}last: 1\n`;
  }

  #value(depth: number): string {
    const indent = "  ".repeat(depth);
    const comment = this.#random.chance(0.2) ? "   # kurun://./comment" : "";
    switch (depth < 4 ? this.#random.below(9) : this.#random.below(7)) {
      case 0:
        return ` ${this.#text()}${comment}\n`;
      case 1:
        return ` "${this.#reference()}"${comment}\n`;
      case 2:
        return ` '${this.#reference()}'${comment}\n`;
      case 3:
        return ` !!str ${this.#reference()}${comment}\n`;
      case 4:
        return ` |${comment}\n${indent}--- kurun://./block\n\n${indent}  more\n`;
      case 5:
        return ` {a: ${this.#reference()}, "b": ["${this.#reference()}" ,${this.#text()}]}\n`;
      case 6:
        return ` >-\n${indent}${this.#reference()}\n`;
      case 7:
        return `\n${indent}- ${this.#reference()}\n${indent}-   ${this.#text()}\n`;
      default:
        return this.#map(depth);
    }
  }

  #text(): string {
    return this.#random.pick(["plain", "'it''s'", '"kurun:// is"', "~", "0x1f", "yes", "see kurun://./text", "1.50"]);
  }

  #reference(): string {
    const path = this.#random.pick(["./x", "../y/z", "/abs", "a@b", "./main.go"]);
    this.paths.push(path);
    return `kurun://${path}`;
  }
}

Deno.test("in any manifest only the references change, in the text and in the values (300 seeds)", () => {
  for (let seed = 1; seed <= 300; seed++) {
    const manifest = new RandomManifest(seed);
    const text = manifest.text();
    const read = readManifest(text);
    const { references } = find(read);
    assert.deepEqual([read.problems, references.map(({ path }) => path)], [[], manifest.paths], `seed ${seed}:\n${text}`);
    const values = references.map((_, index) => ["plain:1@sha256:0", "yes", "it's: #", '"', "0x1f", "[a], {b}"][(seed + index) % 6]!);
    const spliced = spliceReferences(text, references, values);
    let rest = spliced;
    let at = 0;
    for (const { start, end } of references) {
      const before = text.slice(at, start);
      assert.ok(rest.includes(before), `seed ${seed}: ${JSON.stringify(before)} is gone from\n${spliced}`);
      rest = rest.slice(rest.indexOf(before) + before.length);
      at = end;
    }
    assert.ok(rest.endsWith(text.slice(at)));
    resolveReferences(references, values);
    const meant = read.documents.map(({ document }) => document.toJS());
    assert.deepEqual(readManifest(spliced).documents.map(({ document }) => document.toJS()), meant, `seed ${seed}:\n${spliced}`);
  }
});

finds("a path may have spaces and any letter", "image: «./größe ☃»\nb: '«./a b»' # c\nc: [«./x y», \"«/abs olute»\"]\n");

Deno.test("a mistyped reference is reported, and an image named kurun is not", () => {
  const text =
    "a: kurun:../goc\nimage: kurun:/abs\nimage2: kurun:1.2\nb: {image: 'kurun://'}\nimage3: kurun:latest\nc: {image: 'kurun://./x '}\n";
  assert.deepEqual(find(readManifest(text)).mistakes.map(({ line, column, what }) => `${line}:${column}: ${what}`), [
    "1:4: kurun:../goc lacks a slash: kurun://../goc is built from source",
    "2:8: kurun:/abs lacks a slash: kurun:///abs is built from source",
    '4:12: "kurun://" names no source: write kurun://PATH in one line, without spaces around it',
    '6:12: "kurun://./x " names no source: write kurun://PATH in one line, without spaces around it',
  ]);
});

Deno.test("a reference knows whether its container always pulls", () => {
  const { references } = findReferences(
    "- {image: kurun://./x, imagePullPolicy: Always}\n- {image: kurun://./y}\n- {a: kurun://./z, imagePullPolicy: Always}\n",
  );
  assert.deepEqual(references.map(({ pullAlways }) => pullAlways), [{ line: 1, column: 41 }, undefined, undefined]);
});

Deno.test("quotes stay the same even after the parsed documents are resolved", () => {
  const text = "a: 'kurun://./x'\nb: \"kurun://./y\"\nc: kurun://./z\n";
  const { references } = findReferences(text);
  const values = references.map(() => IMAGE);
  resolveReferences(references, values);
  assert.equal(spliceReferences(text, references, values), text.replace(/kurun:\/\/\.\/\w/g, IMAGE));
});
