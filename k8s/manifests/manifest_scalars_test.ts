import assert from "node:assert/strict";
import { readManifest } from "./manifest_text.ts";
import { documentValue } from "./manifest_values.ts";

/** What kubectl makes of plain scalars, as JSON. tests/kubectl_yaml_test.ts compares many more with kubectl's own code if Go is installed. */
const KUBECTL: Readonly<Record<string, string>> = {
  "y": "true",
  "Y": "true",
  "yes": "true",
  "Yes": "true",
  "YES": "true",
  "yEs": '"yEs"',
  "on": "true",
  "ON": "true",
  "true": "true",
  "n": "false",
  "no": "false",
  "No": "false",
  "off": "false",
  "OFF": "false",
  "False": "false",
  "~": "null",
  "null": "null",
  "NULL": "null",
  "nULL": '"nULL"',
  "0": "0",
  "00": "0",
  "010": "8",
  "08": "8",
  "09": "9",
  "0o17": "15",
  "0x1F": "31",
  "0b101": "5",
  "-0b11": "-3",
  "+5": "5",
  "-010": "-8",
  "1_000": "1000",
  "0x_1F": "31",
  "1__0": "10",
  "_1": '"_1"',
  "0b2": '"0b2"',
  "0xg": '"0xg"',
  "1e3": "1000",
  "12e4567": '"12e4567"',
  "0o": '"0o"',
  "0x_": '"0x_"',
  "0b_": '"0b_"',
  ".5_5": "0.55",
  "+18446744073709551615": "18446744073709552000",
  "1.5": "1.5",
  "1.": "1",
  ".5": "0.5",
  "-.5": "-0.5",
  "1.50": "1.5",
  "._5": '"._5"',
  "1_.5": "1.5",
  "1_0e1_0": "100000000000",
  "1e": '"1e"',
  ".": '"."',
  "+": '"+"',
  "9007199254740993": "9007199254740993",
  "18446744073709551615": "18446744073709551615",
  "-9223372036854775808": "-9223372036854775808",
  "1:30": '"1:30"',
  "2001-12-14": '"2001-12-14"',
  "2001-12-14T21:59:43Z": '"2001-12-14T21:59:43Z"',
  "1.2.3": '"1.2.3"',
};

/** The value of a document with one key. */
function valueOf(text: string): unknown {
  return (documentValue(readManifest(text).documents[0]!.document) as { value: unknown }).value;
}

Deno.test("a plain scalar has the value that kubectl gives it", () => {
  for (const [text, json] of Object.entries(KUBECTL)) assert.equal(JSON.stringify(valueOf(`value: ${text}\n`)), json, text);
});

Deno.test("a quoted scalar is text", () => {
  for (const text of Object.keys(KUBECTL)) assert.equal(valueOf(`value: '${text}'\n`), text);
});

Deno.test("keys are text, whatever they look like", () => {
  const [document] = readManifest("80: a\non: b\n0.10: c\n1e6: d\n").documents;
  assert.deepEqual(Object.keys(documentValue(document!.document) as object), ["80", "true", "0.1", "1e+06"]);
});

Deno.test("a dash and a trailing colon between brackets are text, as for kubectl", () => {
  assert.deepEqual(valueOf("value: [tar, xf, -, {a: -}, name:]\n"), ["tar", "xf", "-", { a: "-" }, "name:"]);
});
