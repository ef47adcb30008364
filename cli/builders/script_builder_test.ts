import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { ExitCode } from "../command/errors.ts";
import { describeError } from "../describe_error.ts";
import { BuildError } from "./build_error.ts";
import type { BuildOptions, BuiltProgram } from "./built_program.ts";
import { bundles } from "./bundler.ts";
import { findSource } from "./program_source.ts";
import { buildScript, withNodePrefixes } from "./script_builder.ts";

interface Attempt {
  readonly program?: BuiltProgram;
  readonly error?: unknown;
  readonly said: string;
}

/** Bundles targets in a folder with these files and checks the result. */
async function bundling(
  files: Record<string, string>,
  targets: string[],
  look: (attempt: Attempt, folder: string) => Promise<void> | void,
  options: Partial<BuildOptions> = {},
): Promise<void> {
  const folder = await Deno.realPath(await Deno.makeTempDir());
  let said = "";
  let program: BuiltProgram | undefined;
  let error: unknown;
  try {
    for (const [name, text] of Object.entries(files)) {
      await Deno.mkdir(dirname(join(folder, name)), { recursive: true });
      await Deno.writeTextFile(join(folder, name), text);
    }
    const source = await findSource(targets, folder);
    assert.equal(source.language, "script");
    if (source.language !== "script") return;
    const stderr = (text: string) => void (said += text);
    try {
      program = await buildScript(source, {
        architecture: "any",
        stderr,
        signal: new AbortController().signal,
        env: { NO_COLOR: "1" },
        ...options,
      });
    } catch (thrown) {
      error = thrown;
    }
    await look({ ...program && { program }, error, said }, folder);
  } finally {
    await program?.dispose();
    await Deno.remove(folder, { recursive: true });
  }
}

/** Runs a bundle as the image's Deno does: without any other file. */
async function output({ program, error, said }: Attempt, ...args: string[]): Promise<string> {
  assert.ok(program, `${error}\n${said}`);
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", "--no-config", "--no-npm", "--no-remote", program.path, ...args],
    cwd: dirname(program.path),
    env: { NO_COLOR: "1" },
  }).output();
  return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
}

function failure({ error }: Attempt): [code: string, text: string] {
  assert.ok(error instanceof BuildError, String(error));
  const { text, exitCode } = describeError(error);
  assert.ok(text.split("\n").length <= 3 && !/[.!]$/.test(text), text);
  assert.equal(exitCode, error.code === "not-main" ? ExitCode.usage : ExitCode.failed);
  return [error.code, text];
}

Deno.test("a TypeScript project with packages from npm, JSON and dynamic imports becomes one main module", () =>
  bundling(
    {
      "deno.json": '{ "imports": { "ws": "npm:ws@8.21.0", "yaml": "npm:yaml@2.9.0", "#data": "./data.json" } }',
      "lib.ts": 'if (import.meta.main) console.log("a library is not the main module");\nexport const word: string = "lib";\n',
      "later.ts": 'export const word = "later";\n',
      "data.json": '{ "word": "json" }',
      "main.ts": `
        import { WebSocket } from "ws";
        import { parse } from "yaml";
        import data from "#data" with { type: "json" };
        import { word } from "./lib.ts";
        const later = await import("./later.ts");
        console.log(import.meta.main, typeof WebSocket, parse("a: [1]").a, data.word, word, later.word, ...Deno.args);`,
    },
    ["main.ts"],
    async (attempt) => {
      assert.equal(await output(attempt, "an argument", ""), "true function [ 1 ] json lib later an argument \n");
      assert.ok(attempt.program);
      const bytes = await Deno.readFile(attempt.program.path);
      assert.equal(attempt.program.kind, "script");
      assert.equal(attempt.program.size, bytes.length);
      assert.equal(attempt.program.sha256, new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex());
      assert.equal(attempt.said, "");
      const text = new TextDecoder().decode(bytes);
      assert.ok(
        text.includes("// npm/ws/") && !text.includes("/npm/registry.npmjs.org/ws/"),
        "where this machine keeps packages is left out",
      );
    },
  ));

const NODE_PROJECT = {
  "package.json": '{ "main": "dist/index.js", "dependencies": { "old": "1.0.0" } }',
  // Like many packages for Node: CommonJS, with node's modules required without "node:".
  "node_modules/old/package.json": '{ "name": "old", "version": "1.0.0", "main": "./old.js" }',
  "node_modules/old/old.js": 'const { sep } = require("path");\nexports.sep = () => sep + typeof __dirname + typeof require;\n',
  "src/there.ts": 'import fs from "fs";\nexport const there: boolean = fs.existsSync(".");\n',
  "src/index.ts": `
    import old from "old";
    import { there } from "./there";
    console.log(import.meta.main, old.sep(), there, process.argv.slice(2));`,
};

Deno.test("a Node project runs: a CommonJS package, node's modules by bare names, imports without extensions", () =>
  bundling(NODE_PROJECT, ["."], async (attempt) => assert.equal(await output(attempt, "x"), 'true /stringfunction true [ "x" ]\n')));

Deno.test("the same source gives the same bytes, without the source's path", async () => {
  const digests: string[] = [];
  for (let time = 0; time < 2; time++) {
    await bundling(NODE_PROJECT, ["."], async ({ program }, folder) => {
      assert.ok(program);
      digests.push(program.sha256);
      assert.ok(!(await Deno.readTextFile(program.path)).includes(folder));
    });
  }
  assert.equal(digests[0], digests[1]);
});

Deno.test("the bundler's errors are passed on unchanged, without its own backtrace", () =>
  bundling({ "main.ts": 'import { a } from "./nope.ts";\nconsole.log(a);\n' }, ["main.ts"], (attempt, folder) => {
    assert.deepEqual(failure(attempt), ["failed", "error: deno bundle failed with exit code 1: see above"]);
    assert.ok(attempt.said.includes(`Module not found "file://${folder}/nope.ts"`), attempt.said);
    assert.ok(attempt.said.includes("main.ts:1:19"), attempt.said);
    assert.ok(!attempt.said.includes("backtrace") && !attempt.said.includes("<unknown>"), attempt.said);
  }, { env: { NO_COLOR: "1", RUST_BACKTRACE: "1" } }));

/** The esbuild that Deno's own bundler has fetched. */
async function esbuild(): Promise<string> {
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).output();
  const folder = join(JSON.parse(new TextDecoder().decode(stdout)).denoDir, "dl");
  for await (const { name } of Deno.readDir(folder)) {
    if (!name.startsWith("esbuild-")) continue;
    for await (const file of Deno.readDir(join(folder, name))) if (file.isFile) return join(folder, name, file.name);
  }
  throw new Error(`no esbuild in ${folder}`);
}

Deno.test("without a deno in PATH the project's own esbuild bundles, and its errors are passed on", async () => {
  const folder = await Deno.realPath(await Deno.makeTempDir());
  const options = { ownDeno: false, env: { PATH: "/nowhere" } };
  try {
    // Bundling with Deno first fetches its esbuild.
    await bundling(NODE_PROJECT, ["."], ({ program }) => assert.ok(program));
    const withEsbuild = async (files: Record<string, string>, look: (attempt: Attempt) => Promise<void> | void) => {
      await Deno.mkdir(join(folder, "node_modules/.bin"), { recursive: true });
      await Deno.symlink(await esbuild(), join(folder, "node_modules/.bin/esbuild")).catch(() => {});
      for (const [name, text] of Object.entries(files)) {
        await Deno.mkdir(dirname(join(folder, name)), { recursive: true });
        await Deno.writeTextFile(join(folder, name), text);
      }
      await bundling({}, [folder], look, options);
    };
    await withEsbuild(NODE_PROJECT, async (attempt) => assert.equal(await output(attempt, "x"), 'true /stringfunction true [ "x" ]\n'));
    await withEsbuild({
      "src/there.ts": 'export const there: boolean = import.meta.main === undefined;\nif (import.meta.main) console.log("not main");\n',
    }, async (attempt) => assert.match(await output(attempt), /^true .* false /));
    await withEsbuild({ ...COMMONJS_FILES, "src/index.ts": "", "package.json": '{ "main": "guarded.cjs" }' }, async (attempt) => {
      assert.equal(await output(attempt), COMMONJS_OUTPUT);
    });
    await withEsbuild({ ...NODE_PROJECT, "src/there.ts": "export const there = ;\n" }, (attempt) => {
      assert.deepEqual(failure(attempt), ["failed", "error: esbuild failed with exit code 1: see above"]);
      assert.ok(attempt.said.includes("there.ts:1:21"), attempt.said);
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

for (const [node, files] of [[true, { "package.json": "{}", "main.js": "" }], [false, { "main.js": "" }]] as const) {
  Deno.test(`without any bundler ${node ? "a project of Node's" : "a script"} is refused`, () =>
    bundling(files, ["main.js"], (attempt) => {
      const [code, text] = failure(attempt);
      assert.equal(code, "no-bundler");
      assert.match(text, /deno 2\.4 or newer was not found in PATH; it is needed to bundle scripts/);
      assert.match(text, node ? / no esbuild\. Run npm install/ : /scripts\. Install Deno from/);
    }, { ownDeno: false, env: { PATH: "/nowhere" } }));
}

Deno.test("an interrupted bundling throws the signal's reason", () => {
  const signal = AbortSignal.abort(new Error("enough"));
  return bundling({ "main.ts": "" }, ["main.ts"], ({ error }) => assert.equal(error, signal.reason), { signal });
});

Deno.test("a module may declare the names that CommonJS modules have around them", () =>
  bundling(
    {
      "main.ts": `
        import { createRequire } from "node:module";
        const require = createRequire(import.meta.url);
        const __dirname = "mine", __filename = "mine";
        console.log(typeof require("node:fs").readFileSync, __dirname, __filename);`,
    },
    ["main.ts"],
    async (attempt) => assert.equal(await output(attempt), "function mine mine\n"),
  ));

const COMMONJS_FILES = {
  "dep.cjs": "exports.seen = [require.main === module, !module.parent, module.parent === require.main];\n",
  "guarded.cjs": `
    const { seen } = require("./dep.cjs");
    function main() { console.log("main", seen, module.parent, module.id, module.filename === __filename, require.main.filename === __filename); }
    if (require.main === module) main();
    if (!module.parent && process.mainModule === module) console.log("no parent");`,
};
const COMMONJS_OUTPUT = "main [ false, false, true ] null . true true\nno parent\n";

Deno.test("a CommonJS script runs the code behind require.main === module, and its packages do not", async () => {
  await bundling(COMMONJS_FILES, ["guarded.cjs"], async (attempt) => assert.equal(await output(attempt), COMMONJS_OUTPUT));
  const files = { ...COMMONJS_FILES, "package.json": '{ "type": "commonjs" }', "index.js": COMMONJS_FILES["guarded.cjs"] };
  await bundling(files, ["."], async (attempt) => assert.equal(await output(attempt), COMMONJS_OUTPUT));
  const typed = {
    "package.json": '{ "type": "commonjs" }',
    "index.ts": 'import fs = require("node:fs");\nif (require.main === module) console.log(typeof fs.readFileSync as string);\n',
  };
  await bundling(typed, ["."], async (attempt) => assert.equal(await output(attempt), "function\n"));
});

Deno.test("a CommonJS package of an ES module is not the main module", () =>
  bundling(
    { ...COMMONJS_FILES, "main.mjs": 'import { seen } from "./dep.cjs";\nconsole.log(import.meta.main, seen[0], seen[1]);\n' },
    ["main.mjs"],
    async (attempt) => assert.equal(await output(attempt), "true false false\n"),
  ));

Deno.test("files that a script expects next to itself are named, missing ones are not", () =>
  bundling(
    {
      "data.txt": "data",
      "lib/list.txt": "list",
      "lib/mod.ts":
        "export const list = new URL('./list.txt', import.meta.url);\nexport const gone = new URL('./gone.txt', import.meta.url);\n",
      "main.ts":
        'import * as lib from "./lib/mod.ts";\nconsole.log(typeof lib, import.meta.dirname !== undefined ? `${import.meta.dirname}/data.txt` : "");\n',
    },
    ["main.ts"],
    ({ said }, folder) => {
      assert.deepEqual(said.match(/\S+\.txt(?= is not sent)/g)?.sort(), [`${folder}/data.txt`, `${folder}/lib/list.txt`]);
    },
  ));

Deno.test("the program gets the unstable features of deno.json, and no other flags from there", () =>
  bundling(
    { "deno.jsonc": '{ "unstable": ["kv", "raw-imports", "x --allow-y"] }', "main.ts": "" },
    ["main.ts"],
    ({ program }) => assert.deepEqual(program?.unstable, ["kv", "raw-imports"]),
  ));

Deno.test("a script that begins with a hashbang runs", () =>
  bundling(
    { "main.ts": '#!/usr/bin/env -S deno run\nconsole.log("it runs");\n' },
    ["main.ts"],
    async (attempt) => assert.equal(await output(attempt), "it runs\n"),
  ));

Deno.test("only imports of node's own modules get the prefix node:", () => {
  const bundle =
    'import fs from "fs";\nimport {\n  a as b\n} from "fs/promises";\nimport "process";\nimport x from "left";\n  say(`from "fs";`);\n';
  const changed = bundle.replace('fs from "fs"', 'fs from "node:fs"').replace("fs/promises", "node:fs/promises").replace(
    '"process"',
    '"node:process"',
  );
  assert.equal(withNodePrefixes(bundle), changed);
});

Deno.test("only Deno 2.4 and newer bundles", () => {
  const answers = ["deno 2.3.7 (stable)", "deno 1.46.3", "deno 2.4.0 (stable, release)", "deno 2.10.1", "deno 3.0.0", "nonsense"].map(
    bundles,
  );
  assert.deepEqual(answers, [false, false, true, true, true, false]);
});
