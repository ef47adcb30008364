import assert from "node:assert/strict";
import { namedMains, usualMain, withoutComments } from "./script_main.ts";

for (
  const [name, config, mains] of [
    ["package.json", { main: "./lib/a.js", module: "b.mjs", exports: "./c.js" }, ["lib/a.js", "b.mjs", "c.js"]],
    ["package.json", { exports: { ".": { types: "./a.d.ts", import: "./a.mjs", require: "./a.cjs" } } }, ["a.mjs"]],
    ["package.json", { exports: { "./sub": "./sub.js" } }, []],
    ["deno.json", { main: "a.ts", exports: "./b.ts" }, ["b.ts"]],
    ["deno.json", { exports: { "./cli": "./cli.ts", ".": "./mod.ts" } }, ["mod.ts"]],
    ["deno.jsonc", [], []],
    ["package.json", null, []],
    ["package.json", { main: 5, exports: false }, []],
  ] as const
) {
  Deno.test(`the main of ${name} with ${JSON.stringify(config)} is ${mains[0] ?? "not said"}`, () => {
    assert.deepEqual(namedMains(name, config), mains);
  });
}

Deno.test("main is preferred to index, the folder to src, and TypeScript to JavaScript", () => {
  const all = ["main.ts", "main.js", "index.mts", "src/main.tsx", "src/index.cjs"];
  for (let from = 0; from < all.length; from++) {
    const rest = all.slice(from);
    assert.equal(usualMain(new Set(rest.toReversed())), rest[0]);
  }
  assert.equal(usualMain(new Set(["main.rs", "lib/main.ts"])), undefined);
});

Deno.test("JSON's comments are removed, and text in strings that looks like one stays", () => {
  assert.deepEqual(JSON.parse(withoutComments('{"a": "http://x/*y*/", // one "b": 1\n/* two\n "c": 2 */ "d\\"//": 3}')), {
    a: "http://x/*y*/",
    'd"//': 3,
  });
});
