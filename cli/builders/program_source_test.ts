import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { ExitCode } from "../command/errors.ts";
import { describeError } from "../describe_error.ts";
import { BuildError } from "./build_error.ts";
import { findSource } from "./program_source.ts";

/** Runs a test in a folder with these files. */
async function inFolder(files: Record<string, string>, test: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.realPath(await Deno.makeTempDir());
  try {
    for (const [name, text] of Object.entries(files)) {
      await Deno.mkdir(dirname(join(folder, name)), { recursive: true });
      await Deno.writeTextFile(join(folder, name), text);
    }
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function refuses(title: string, files: Record<string, string>, targets: string[], message: RegExp): void {
  Deno.test(title, () =>
    inFolder(files, async (folder) => {
      await assert.rejects(findSource(targets, folder), (error) => {
        assert.ok(error instanceof BuildError, String(error));
        const { text, exitCode } = describeError(error);
        assert.match(text, message);
        assert.ok(text.split("\n").length <= 3 && !/[.!]$/.test(text), text);
        assert.equal(exitCode, ExitCode.usage);
        return true;
      });
    }));
}

const MODULE = { "go.mod": "module x\n", "main.go": "package main\n", "other.go": "package main\n", "cmd/a/a.go": "package main\n" };

Deno.test("inside a module, Go files and folders are built from the current folder", () =>
  inFolder(MODULE, async (folder) => {
    const source = { language: "go", folder } as const;
    const files = await findSource(["main.go", "./other.go"], folder);
    assert.deepEqual(files, { ...source, given: "main.go ./other.go", packages: ["./main.go", "./other.go"] });
    assert.deepEqual(await findSource(["cmd/a"], folder), { ...source, given: "cmd/a", packages: ["./cmd/a"] });
    assert.deepEqual(await findSource([folder], folder), { ...source, given: folder, packages: ["./"] });
    const above = await findSource(["../../main.go"], join(folder, "cmd/a"));
    assert.deepEqual(above, { ...source, folder: join(folder, "cmd/a"), given: "../../main.go", packages: ["../../main.go"] });
  }));

Deno.test("Go files of another module are built in its folder, and files of no module in the current folder", () =>
  inFolder({ "inner/go.mod": "module y\n", "inner/main.go": "", "outer/go.mod": "module z\n", "loose.go": "" }, async (folder) => {
    const inner = { language: "go", given: "inner/main.go", folder: join(folder, "inner"), packages: ["./main.go"] };
    assert.deepEqual(await findSource(["inner/main.go"], folder), inner);
    const loose = { language: "go", given: "../loose.go", folder: join(folder, "outer"), packages: ["../loose.go"] };
    assert.deepEqual(await findSource(["../loose.go"], join(folder, "outer")), loose);
  }));

Deno.test("a script's configuration is the nearest deno.json or package.json above it", () =>
  inFolder(
    { "package.json": "{}", "src/deep/a.tsx": "", "den/deno.jsonc": "{}", "den/package.json": "{}", "den/b.mjs": "" },
    async (folder) => {
      const tsx = {
        language: "script",
        main: join(folder, "src/deep/a.tsx"),
        config: join(folder, "package.json"),
      };
      assert.deepEqual(await findSource(["src/deep/a.tsx"], folder), tsx);
      const mjs = { language: "script", main: join(folder, "den/b.mjs"), config: join(folder, "den/deno.jsonc") };
      assert.deepEqual(await findSource(["den/b.mjs"], folder), mjs);
    },
  ));

Deno.test("a folder's main module is the existing one that its configuration names, else a file with a usual name", () =>
  inFolder({
    "node/package.json": '{"main": "lib/start"}',
    "node/lib/start.js": "",
    "node/index.ts": "",
    "unbuilt/package.json": '{"main": "dist/index.js"}',
    "unbuilt/src/index.ts": "",
    "deno/deno.jsonc": '{\n// where it is "made"\n"exports": {".": "./begin.ts",},\t}',
    "deno/begin.ts": "",
    "plain/main.ts": "",
    "plain/index.ts": "",
  }, async (folder) => {
    const main = async (name: string) => {
      const source = await findSource([name], folder);
      return source.language === "script" && source.main;
    };
    assert.equal(await main("node"), join(folder, "node/lib/start.js"));
    assert.equal(await main("unbuilt"), join(folder, "unbuilt/src/index.ts"));
    assert.equal(await main("deno"), join(folder, "deno/begin.ts"));
    assert.equal(await main("plain/"), join(folder, "plain/main.ts"));
  }));

refuses("a path that is not there is named as it was typed", MODULE, ["./nope.go"], /^error: there is no file or folder \.\/nope\.go$/);
refuses("a path through a file is not there", MODULE, ["main.go/x.ts"], /no file or folder main\.go\/x\.ts$/);
refuses("a file in another language is refused", { "a.py": "" }, ["a.py"], /^error: a\.py is neither Go/);
refuses("Go files together with something else are refused", MODULE, ["main.go", "cmd"], /main\.go and cmd are more than one program/);
refuses("two scripts are refused", { "a.ts": "", "b.ts": "" }, ["a.ts", "b.ts"], /a\.ts and b\.ts are more than one/);
refuses("Go files of two folders are refused", MODULE, ["main.go", "cmd/a/a.go"], /several folders: main\.go, cmd\/a\/a\.go/);
refuses("a Go test is refused", { "a_test.go": "package main\n" }, ["a_test.go"], /a_test\.go is a test file/);
refuses(
  "a folder with a go.mod but without Go files has an error of its own",
  { "go.mod": "module x\n" },
  ["."],
  /found in \.: it has a go\.mod but no Go files\. Name the folder of the main package/,
);
refuses(
  "a folder without a program says what was looked for",
  { "package.json": '{"main": "dist/a.js"}', "a_test.go": "" },
  ["."],
  /neither Go files nor dist\/a\.js, main\.ts, index\.ts, src\/main\.ts, src\/index\.ts \(or \.js, \.mjs …\)\. Name the file/,
);

Deno.test("an invalid configuration file is named", () =>
  inFolder({ "package.json": '{"main": ' }, async (folder) => {
    await assert.rejects(findSource(["."], folder), (error) => {
      assert.ok(error instanceof BuildError && error.code === "bad-config");
      assert.ok(error.message.startsWith(`${join(folder, "package.json")} cannot be read: `));
      assert.equal(describeError(error).exitCode, ExitCode.failed);
      return true;
    });
  }));
