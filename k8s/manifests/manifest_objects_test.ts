import assert from "node:assert/strict";
import { objectLabel, readObjects } from "./manifest_objects.ts";
import { readManifest } from "./manifest_text.ts";

/** Labels and places of a text's objects, and its problems. */
function read(text: string): { objects: string[]; problems: string[]; warnings: string[] } {
  const manifest = readManifest(text);
  const { objects, problems } = readObjects(manifest);
  const line = ({ line, column, what }: { line: number; column: number; what: string }) => `${line}:${column}: ${what}`;
  return {
    objects: objects.map((object) => `${object.line}:${object.column} ${objectLabel(object)}`),
    problems: [...manifest.problems, ...problems].map(line),
    warnings: manifest.warnings.map(line),
  };
}

Deno.test("documents and the items of Lists, nested ones too, are objects with their places; empty documents are not", () => {
  const text = [
    "# Source: chart/templates/web.yaml\n---\n\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n---\n# nothing\n---\n",
    "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: ConfigMap\n  metadata: {name: one}\n",
    "- {apiVersion: v1, kind: ConfigMapList, items: [{apiVersion: v1, kind: ConfigMap, metadata: {name: two}}]}\n",
  ].join("");
  assert.deepEqual(read(text), {
    objects: ["5:1 deployment.apps/web", "14:3 configmap/one", "17:49 configmap/two"],
    problems: [],
    warnings: [],
  });
});

Deno.test("JSON is read with tabs, and several values in a row", () => {
  const one = '{\n\t"apiVersion": "v1",\n\t"kind": "Secret",\n\t"metadata": {"name": "a{\\"}"}\n}';
  assert.deepEqual(read(`\ufeff${one}\n\n${one.replace('a{\\"}', "b")}`), {
    objects: ['1:1 secret/a{"}', "7:1 secret/b"],
    problems: [],
    warnings: [],
  });
});

/** Texts and their problems. */
const WRONG: readonly [string, string][] = [
  ["kind: Pod\nmetadata: {name: a}\n", "1:1: this object has no apiVersion"],
  ["apiVersion: v1\nmetadata: {name: a}\n", "1:1: this object has no kind"],
  ["kind: Pod\napiVersion: 1\nmetadata: {name: a}\n", "2:13: apiVersion must be text, not a number (1)"],
  ["apiVersion: v1\nkind: Pod\n", "1:1: this Pod has no metadata.name"],
  [
    "apiVersion: v1\nkind: Pod\nmetadata:\n  generateName: a-\n",
    "4:17: this Pod has generateName instead of name, and apply needs a name",
  ],
  ["apiVersion: v1\nkind: Pod\nmetadata:\n  name: 12\n", "4:9: metadata.name must be text, not a number (12); quote it"],
  [
    "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n  labels:\n    a: yes\n",
    "6:8: metadata.labels: the value of a must be text, not a boolean (true); quote it",
  ],
  ["apiVersion: v1\nkind: Pod\nmetadata: []\n", "3:11: metadata must be a map, not a list"],
  ["- 1\n", "1:1: this is not an object but a list"],
  ["just text\n", "1:1: this is not an object but text (just text)"],
  ["a: *nowhere\n", "1:4: there is no anchor for the alias *nowhere"],
  ["a: .inf\n", "1:4: Infinity is not a number that an object can have: quote it if it is text"],
  ["a: {~: 1}\n", "1:5: a key cannot be ~: quote it"],
  ["a: !!int x\n", "1:10: !!int cannot be text (x)"],
  ["a: &a [*a]\n", "1:8: the alias *a contains itself"],
  ["a: 1\n\ufeffb: 2\n", "2:1: there is a byte order mark inside this document: remove it, or put --- before it"],
  ["---a: 1\n", "1:1: a line that begins with --- separates documents: only a comment may follow"],
  ["a: [1\nb: 2\n", "2:1: Flow sequence in block collection must be sufficiently indented and end with a ]"],
];

Deno.test("each problem is reported with its place", () => {
  for (const [text, problem] of WRONG) assert.equal(read(text).problems[0], problem, text);
});

Deno.test("all problems are reported at once, and valid objects are still read", () => {
  const all = read([...WRONG.map(([text]) => text), "apiVersion: v1\nkind: Pod\nmetadata: {name: fine}\n"].join("---\n"));
  for (const [, problem] of WRONG) {
    const what = problem.replace(/^[\d:]+ /, "");
    assert.ok(all.problems.some((told) => told.endsWith(what)), `${what} is not in\n${all.problems.join("\n")}`);
  }
  assert.match(all.objects.join(), /^\d+:1 pod\/fine$/);
});

Deno.test("a duplicate key is a warning, since kubectl takes the last one", () => {
  const { warnings, problems, objects } = read("apiVersion: v1\nkind: Pod\nkind: Service\nmetadata:\n  name: a\n  name: b\n");
  assert.deepEqual([objects, problems], [["1:1 service/b"], []]);
  assert.deepEqual(warnings, ["3:1: kind occurs twice; the last one counts", "6:3: name occurs twice; the last one counts"]);
});

Deno.test("anchors, aliases and merge keys are followed, and an alias bomb is refused", () => {
  const manifest = readManifest("apiVersion: v1\nkind: ConfigMap\nmetadata: &m {name: a}\ndata: {<<: *m, b: *m}\n");
  assert.deepEqual(readObjects(manifest).objects[0]!.body.data, { name: "a", b: { name: "a" } });
  const levels = Array.from({ length: 9 }, (_, level) => `l${level + 1}: &l${level + 1} [${Array(9).fill(`*l${level}`).join(",")}]\n`);
  const bomb = read(`apiVersion: v1\nkind: A\nmetadata: {name: a}\nl0: &l0 x\n${levels.join("")}`);
  assert.match(bomb.problems.join(), /^\d+:\d+: too many values come from aliases/);
});

const FIELDS = `apiVersion: apps/v1
kind: Deployment
metadata: {name: d}
spec:
  template:
    spec:
      containers:
      - name: c
        env:
        - {name: MODE, value: qa}
        - {name: MODE, value: qa}
        ports: [{containerPort: 80}, {containerPort: 81, protocol: UDP}]
`;

Deno.test("a field is found at its key, an item at its start, and a missing one at the nearest field above", () => {
  const [object] = readObjects(readManifest(FIELDS)).objects;
  const container = '.spec.template.spec.containers[name="c"]';
  const places = {
    "spec.template": "5:3",
    [`${container}.env[name="MODE"]`]: "11:11",
    [`${container}.ports[containerPort=81,protocol="UDP"]`]: "12:38",
    "spec.template.spec.containers[0].ports[1].protocol": "12:58",
    "spec.template.spec.containers[0].ports[7].name": "12:9",
    "spec.nothing.here": "4:1",
    "": "1:1",
  };
  for (const [field, place] of Object.entries(places)) {
    const { line, column } = object!.place(field);
    assert.equal(`${line}:${column}`, place, field);
  }
});
