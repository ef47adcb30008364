/** Compares how kurun and kubectl's own code read generated manifests. Needs Go. */
import assert from "node:assert/strict";
import { yamlText } from "../cli/apply/object_text.ts";
import { exactDigits, parseJson, yamlSafeJson } from "../k8s/api/exact_json.ts";
import { decodeManifest, readManifest } from "../k8s/manifests/manifest_text.ts";
import { ValueError } from "../k8s/manifests/manifest_scalars.ts";
import { documentValue } from "../k8s/manifests/manifest_values.ts";
import { findGo } from "./cluster/go.ts";
import { type KubectlReading, readAsKubectl } from "./kubectl_yaml_program.ts";
import { SeededRandom } from "./seeded_random.ts";

const NO_GO = await findGo().then(() => false, () => true);
const bytes = (text: string) => new TextEncoder().encode(text);

/** JSON with sorted keys, one line for each document. Documents that are null do not count. */
function canonical(documents: readonly unknown[]): string {
  const sorted = (value: unknown): unknown => {
    if (typeof value !== "object" || value === null) return value;
    // kubectl's JSON has -0, which JSON.parse keeps and JSON.stringify drops.
    if (exactDigits(value) !== undefined) return exactDigits(value) === "-0" ? 0 : value;
    if (Array.isArray(value)) return value.map(sorted);
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]) => [key, sorted(inner)] as const).sort(([a], [b]) => a < b ? -1 : 1),
    );
  };
  return documents.map((document) => JSON.stringify(sorted(document))).filter((json) => json !== "null").join("\n");
}

/** What kurun makes of a manifest; undefined where it refuses it. */
function readAsKurun(manifest: Uint8Array): string | undefined {
  const text = decodeManifest(manifest);
  assert.ok(text !== undefined);
  const { documents, problems } = readManifest(text);
  if (problems.length > 0) return undefined;
  try {
    return canonical(documents.map(({ document }) => documentValue(document)));
  } catch (error) {
    assert.ok(error instanceof ValueError, (error as Error).stack);
    return undefined;
  }
}

/** Whether kubectl parsed the YAML and refused a value in it. */
function refusesValue({ error = "" }: KubectlReading): boolean {
  return /cannot decode|unsupported|invalid map key|base64|contains itself|map merge requires/.test(error);
}

/** Compares all manifests. Where kubectl refuses the syntax, kurun may accept more. @param show the text of one, for a report */
async function compare(
  manifests: readonly Uint8Array<ArrayBuffer>[],
  show: (at: number) => string,
): Promise<{ equal: number; refused: number }> {
  let [equal, refused] = [0, 0];
  const differences: string[] = [];
  for (const [at, reading] of (await readAsKubectl(manifests)).entries()) {
    if (reading.error !== undefined && !refusesValue(reading)) continue;
    const expected = reading.error === undefined ? canonical(reading.documents) : undefined;
    const found = readAsKurun(manifests[at]!);
    if (found !== expected) differences.push(`${show(at)}: kurun ${found ?? "refuses"}, kubectl ${expected ?? reading.error}`);
    else if (found === undefined) refused++;
    else equal++;
  }
  assert.deepEqual(differences.slice(0, 10), [], `${differences.length} of ${manifests.length} differ`);
  return { equal, refused };
}

/** Scalars that YAML 1.1 and 1.2, or two parsers, read in different ways. */
const WORDS = [
  "",
  ..."~ null Null NULL nULL y Y yes Yes YES yEs n N no No NO nO".split(" "),
  ..."on On ON oN off Off OFF true True TRUE tRUE false False FALSE".split(" "),
  ...".inf -.inf +.INF .nan .NaN -.nan .iNF Infinity inf nan << =".split(" "),
  ..."0 -0 +0 -0.0 00 08 09.5 0_8 010 0o 0x 0b 0x_ 0b_ 0o17 0O17 0x1F 0XfF 0b101 0B1".split(" "),
  ..."0b+1 0b-1 -0b-1 0b_1 0x_ 0b2 0xg 0x1p3 _1 -_1 1__2 1_000.5 ._5 .5_5 .5e3 .5e +.5 -. .".split(" "),
  ..."1:30 190:20:30 2001-12-14 2001-12-14T21:59:43Z 2001-12-14t21:59:43.10-05:00".split(" "),
  "2001-1-2 3:4:5",
  ..."2001-13-14 2001-02-30".split(" "),
  ..."1e3 12e4567 1E400 -1e400 1e-400 1. 1e5 1e6 1e20 1e21 1e22 1e+5 1e_5 1e + - 1_0e1_0".split(" "),
  ..."9007199254740992 9007199254740993 -9007199254740993 9223372036854775807 9223372036854775808 18446744073709551615".split(" "),
  ..."18446744073709551616 -9223372036854775808 -9223372036854775809 +18446744073709551615 0xFFFFFFFFFFFFFFFF".split(" "),
  ..."0x1FFFFFFFFFFFFFFFF -0x8000000000000000 0777777777777777777777 07777777777777777777777777".split(" "),
  ..."123456789.125 0.0001 0.00001 0.1 1.5 1e-7 3.4028236e38 1e39 1.17549435e-38 1e-46 16777217.0 0.3".split(" "),
];
const CHARACTERS = [..."0123456789", ..."0123456789", ..."_.-+eExXobafnyTZp~<:", "\u0661", "\uff11", "é"];
const TAGS = ["str", "int", "float", "bool", "null", "binary", "timestamp", "merge", "map", "seq", "set"].map((tag) => `!!${tag}`);

class ScalarGenerator {
  constructor(readonly random: SeededRandom) {}

  text(): string {
    const { random } = this;
    const word = random.pick(WORDS);
    if (random.chance(0.4)) return word;
    const at = random.below(word.length + 1);
    if (random.chance(0.3)) return word.slice(0, at) + random.pick(CHARACTERS) + word.slice(at);
    const start = random.pick(["", "", "", "0", "0x", "0o", "0b", "-", "+", "1e", ".", "1."]);
    const length = 1 + random.below(random.chance(0.1) ? 24 : 6);
    return start + Array.from({ length }, () => random.pick(CHARACTERS)).join("");
  }

  /** A scalar in some style. */
  scalar(): string {
    const { random } = this;
    const tag = random.chance(0.2) ? `${random.pick([...TAGS, "!", "!local", "!<tag:yaml.org,2002:int>"])} ` : "";
    const text = random.chance(0.05) ? btoa(this.text().replace(/[^\x20-\x7e]/g, "\xff")) : this.text();
    if (random.chance(0.15)) return tag + JSON.stringify(text);
    return tag + (random.chance(0.1) ? `'${text}'` : text);
  }

  manifest(): string {
    const scalar = this.scalar();
    return this.random.pick([
      `value: ${scalar}\n`,
      `${scalar}: x\n`,
      `? ${scalar}\n: x\n`,
      `[x, ${scalar}]\n`,
      `- &a ${scalar}\n- *a\n- {*a : x}\n`,
      `a: {${scalar}: 1}\nb: {x: 2}\n`,
      `value: |-\n  ${this.text()}\n`,
      `value: ${scalar}\nvalue: ${this.scalar()}\n`,
      `m: &m {a: 1, ${this.random.pick(["b", "x"])}: 2}\nv: {x: ${scalar}, <<: *m, ${this.random.pick(["a", "c"])}: 3}\n`,
      `m: &m {a: 1}\nn: &n {a: 2, b: 3}\nv:\n  <<: [*m, *n, {c: 4}]\n  ${this.random.pick(["<<", "'<<'", "!!merge <<", "! <<"])}: {a: 5}\n`,
      `v: {<<: ${scalar}, a: 1}\n`,
    ]);
  }
}

/**
 * What kurun refuses, and kubectl does not: between braces, a value that ends in a colon; an infinite number that a later value replaces;
 * and `! :x`, which is an empty key for kubectl.
 */
const REFUSED_BY_KURUN = /\{[^}]*: [^}]*::? ?[,}1]|[-+]?\.(?:inf|nan).*(?:<<|\n.*value)|! :/i;

Deno.test({
  name: "every scalar, as a value or a key, is read as kubectl reads it (20,000 generated manifests)",
  ignore: NO_GO,
  async fn() {
    const generator = new ScalarGenerator(new SeededRandom(1));
    const manifests = Array.from({ length: 20_000 }, () => generator.manifest()).filter((text) => !REFUSED_BY_KURUN.test(text));
    const { equal, refused } = await compare(manifests.map(bytes), (at) => JSON.stringify(manifests[at]));
    assert.ok(equal > 14_000 && refused > 500, `${equal} equal, ${refused} refused by both`);
  },
});

/** Documents, most of them with a number that tells them apart. */
const DOCUMENTS: readonly ((at: number) => string)[] = [
  (at) => `a: ${at}\n`,
  (at) => `a: ${at}\nb:\n- x\n- c: |\n    text\n    --- no\n    ...\n`,
  (at) => `{"a": ${at}, "b": "\\u00e9"}\n`,
  (at) => `{\n  "a": ${at}\n}\n`,
  (at) => `{a: ${at}}\n`,
  (at) => `# before\na: ${at} # behind\n`,
  (at) => `a: "x\n  ${at}"\n`,
  (at) => `a: >\n  x\n  ${at}\n\n  z\n`,
  (at) => `a: |+\n  ${at}\n\n`,
  (at) => `a: "é 日本 ☃ 😀 ${at}"\n`,
  (at) => `  a: ${at}\n  b: 1\n`,
  () => "# only a comment\n",
  () => "",
  () => "\n\n",
  () => "~\n",
  () => "[1, 2]\n",
  () => '"text"\n',
];
const SEPARATORS = [
  "---\n",
  "---\n",
  "--- # comment\n",
  "---   \n",
  "---\t\n",
  "\n---\n",
  "...\n---\n",
  "---\n---\n",
  "---\n# c\n---\n",
  "# x\n---\n",
];

function documentStream(random: SeededRandom): string {
  const document = (at: number) => random.pick(DOCUMENTS)(at);
  if (random.chance(0.1)) {
    return [1, 2, 3].slice(random.below(3)).map((at) => `{"a": ${at}}${random.pick(["", " ", "\n", "\n\n"])}`).join("");
  }
  let text = random.chance(0.3) ? random.pick(SEPARATORS) : "";
  text += document(0);
  for (let at = 1; at <= random.below(4); at++) {
    // As in two files in a row, the second of which begins with a byte order mark.
    const mark = random.chance(0.2) ? `a: ${at}0\n---\n\ufeff` : "";
    text += random.pick(SEPARATORS) + mark + document(at);
  }
  return text + (random.chance(0.2) ? random.pick(SEPARATORS) : "");
}

/** UTF-8 with and without a byte order mark, or UTF-16 with one. */
function encode(text: string, random: SeededRandom): Uint8Array<ArrayBuffer> {
  const way = random.below(5);
  if (way < 2) return bytes(text);
  if (way === 2) return bytes(`\ufeff${text}`);
  const encoded = new DataView(new ArrayBuffer(2 * text.length + 2));
  [..."\ufeff", ...text.split("")].forEach((unit, at) => encoded.setUint16(2 * at, unit.charCodeAt(0), way === 3));
  return new Uint8Array(encoded.buffer);
}

Deno.test({
  name:
    "documents are separated as kubectl does, with any separators, line ends, byte order marks and encoding (10,000 generated manifests)",
  ignore: NO_GO,
  async fn() {
    const random = new SeededRandom(2);
    const texts = Array.from(
      { length: 10_000 },
      () => random.chance(0.2) ? documentStream(random).replaceAll("\n", "\r\n") : documentStream(random),
    );
    const { equal } = await compare(texts.map((text) => encode(text, random)), (at) => JSON.stringify(texts[at]));
    assert.ok(equal > 8_000, `${equal} equal`);
  },
});

Deno.test("integers of 64 bits keep their digits", () => {
  const [document] = readManifest("a: 9223372036854775807\nc: -9007199254740993\n").documents;
  assert.equal(JSON.stringify(documentValue(document!.document)), '{"a":9223372036854775807,"c":-9007199254740993}');
  assert.equal(
    JSON.stringify(parseJson('{"a":9223372036854775807,"b":0.1234567890123456789,"c":1e300}')),
    '{"a":9223372036854775807,"b":0.12345678901234568,"c":1e+300}',
  );
});

/** Text of any kind, most of it dangerous in YAML. */
function anyText(random: SeededRandom, scalars: ScalarGenerator): string {
  if (random.chance(0.3)) return scalars.text();
  const parts = ["a", "é", "日本", "😀", " ", "  ", ..."\n\t\r", "\r\n", ": ", " #", "- ", ...`'"\\|>%@\``, "&a", "*a", "!x"];
  const special = [..."\x00\x07", "\x1b[31m", ..."\x7f\x85\x9b\u00a0\u2028\u2029\ufeff\u202e{}[],?", "---"];
  return Array.from({ length: random.below(8) }, () => random.pick(random.chance(0.5) ? parts : special)).join("");
}

/** Asserts that kubectl reads each object's text as that object. */
async function assertRead(objects: readonly Record<string, unknown>[], write: (object: Record<string, unknown>) => string): Promise<void> {
  const texts = objects.map(write);
  for (const [at, { documents, error }] of (await readAsKubectl(texts.map(bytes))).entries()) {
    assert.equal(error ?? canonical(documents), canonical([objects[at]]), JSON.stringify(texts[at]));
  }
}

Deno.test({
  name: "kubectl reads the YAML that kurun prints as the same values, control characters included (5,000 generated objects)",
  ignore: NO_GO,
  async fn() {
    const random = new SeededRandom(3);
    const scalars = new ScalarGenerator(random);
    const text = () => anyText(random, scalars);
    const objects = Array.from(
      { length: 5_000 },
      () => ({ [text() || "x"]: text(), b: [text(), { c: text() }], d: 2 ** 53 + 2, e: 0.5, f: null }),
    );
    await assertRead(objects, yamlText);
  },
});

Deno.test({
  name: "the API server's YAML parser reads kurun's JSON as the same values (5,000 generated objects)",
  ignore: NO_GO,
  async fn() {
    const random = new SeededRandom(4);
    const scalars = new ScalarGenerator(random);
    const objects = Array.from({ length: 5_000 }, () => ({ a: anyText(random, scalars), [`k${anyText(random, scalars)}`]: 1 }));
    // kubectl would read it as JSON without the comment.
    await assertRead(objects, (object) => `# YAML\n${yamlSafeJson(object)}`);
  },
});
