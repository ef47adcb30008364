import assert from "node:assert/strict";
import { strategicMerge } from "./strategic_merge.ts";

Deno.test("objects merge, values and plain lists replace, null takes away", () => {
  const { merged, unknown } = strategicMerge(
    { a: { b: 1, c: 2 }, tolerations: [{ key: "x" }], args: ["1"], gone: 1 },
    { a: { b: 3 }, tolerations: [{ key: "y" }], args: ["2"], gone: null, none: null },
  );
  assert.deepEqual(merged, { a: { b: 3, c: 2 }, tolerations: [{ key: "y" }], args: ["2"] });
  assert.deepEqual(unknown, []);
});

Deno.test("items of a list with a key merge by it, and new ones are added", () => {
  const { merged } = strategicMerge(
    { containers: [{ name: "a", image: "i", env: [{ name: "X", value: "1" }, { name: "Y", value: "2" }] }] },
    { containers: [{ name: "a", env: [{ name: "Y", value: "3" }, { name: "Z", value: "4" }] }, { name: "b", image: "j" }] },
  );
  assert.deepEqual(merged, {
    containers: [
      { name: "a", image: "i", env: [{ name: "X", value: "1" }, { name: "Y", value: "3" }, { name: "Z", value: "4" }] },
      { name: "b", image: "j" },
    ],
  });
});

Deno.test("directives are told and left out, wherever they stand", () => {
  const patch = { $patch: "replace", containers: [{ name: "a", "$patch": "delete" }], x: { "$retainKeys": ["y"] } };
  const { merged, unknown } = strategicMerge({ containers: [{ name: "a" }] }, patch);
  assert.deepEqual(merged, { containers: [{ name: "a" }], x: {} });
  assert.deepEqual(unknown, ["$patch", "containers[name=a].$patch", "x.$retainKeys"]);
});

Deno.test("what is patched stays as it is", () => {
  const object = { containers: [{ name: "a", env: [{ name: "X", value: "1" }] }] };
  const before = structuredClone(object);
  strategicMerge(object, { containers: [{ name: "a", env: [{ name: "X", value: "2" }] }] });
  assert.deepEqual(object, before);
});
