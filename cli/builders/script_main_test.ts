import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { findScriptMain, namedMains, withoutComments } from "./script_main.ts";

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

Deno.test("main is preferred to index, the folder to src, and TypeScript to JavaScript", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const all = ["main.ts", "main.js", "index.mts", "src/main.tsx", "src/index.cjs"];
    for (const path of [...all, "main.rs", "lib/main.ts"]) {
      await Deno.mkdir(dirname(join(folder, path)), { recursive: true });
      await Deno.writeTextFile(join(folder, path), "");
    }
    for (const path of all) {
      assert.equal((await findScriptMain(folder)).main, join(folder, path));
      await Deno.remove(join(folder, path));
    }
    assert.equal((await findScriptMain(folder)).main, undefined);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("JSON's comments are removed, and text in strings that looks like one stays", () => {
  assert.deepEqual(JSON.parse(withoutComments('{"a": "http://x/*y*/", // one "b": 1\n/* two\n "c": 2 */ "d\\"//": 3}')), {
    a: "http://x/*y*/",
    'd"//': 3,
  });
});
