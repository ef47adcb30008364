import assert from "node:assert/strict";
import { strategicMerge } from "./strategic_merge.ts";

Deno.test("objects merge, values and plain lists are replaced, null removes", () => {
  const { merged, ignored } = strategicMerge(
    { a: { b: 1, c: 2 }, tolerations: [{ key: "x" }], args: ["1"], gone: 1 },
    { a: { b: 3 }, tolerations: [{ key: "y" }], args: ["2"], gone: null, none: null },
  );
  assert.deepEqual(merged, { a: { b: 3, c: 2 }, tolerations: [{ key: "y" }], args: ["2"] });
  assert.deepEqual(ignored, []);
});

Deno.test("items of a list with a merge key merge by it, and new items are added", () => {
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

Deno.test("directives are ignored and reported at any depth", () => {
  const patch = { $patch: "replace", containers: [{ name: "a", "$patch": "delete" }], x: { "$retainKeys": ["y"] } };
  const { merged, ignored } = strategicMerge({ containers: [{ name: "a" }] }, patch);
  assert.deepEqual(merged, { containers: [{ name: "a" }], x: {} });
  assert.deepEqual(ignored, ["$patch", "containers[name=a].$patch", "x.$retainKeys"]);
});

Deno.test("the patched object is not modified", () => {
  const object = { containers: [{ name: "a", env: [{ name: "X", value: "1" }] }] };
  const before = structuredClone(object);
  strategicMerge(object, { containers: [{ name: "a", env: [{ name: "X", value: "2" }] }] });
  assert.deepEqual(object, before);
});
