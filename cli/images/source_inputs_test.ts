import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { goArchitecture } from "../../tests/cluster/go.ts";
import { findSource } from "../builders/program_source.ts";
import { inputsDigest, sourceInputs } from "./source_inputs.ts";
import { withGo } from "../../tests/with_go.ts";

const MODULE = "module example.com/x\n\ngo 1.21\n";

/** Looks at a source's inputs, and tells after each change whether it would be built anew. */
async function watching(
  files: Record<string, string>,
  target: string,
  use: (world: {
    folder: string;
    write(name: string, text: string): Promise<void>;
    changes(environment?: Record<string, string>): Promise<boolean>;
  }) => Promise<void>,
): Promise<void> {
  const folder = await Deno.realPath(await Deno.makeTempDir());
  const write = async (name: string, text: string) => {
    await Deno.mkdir(dirname(join(folder, name)), { recursive: true });
    await Deno.writeTextFile(join(folder, name), text);
  };
  try {
    for (const [name, text] of Object.entries(files)) await write(name, text);
    const options = { architecture: goArchitecture(), signal: new AbortController().signal };
    const inputs = await sourceInputs(await findSource([join(folder, target)], folder), options);
    assert.ok(inputs, "the compiler tells");
    let last = await inputsDigest(inputs, {}, new Map());
    const changes = async (environment = {}) => {
      const before = last;
      last = await inputsDigest(inputs, environment, new Map());
      return last !== before;
    };
    await use({ folder, write, changes });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const program = {
  "go.mod": MODULE,
  "cmd/main.go":
    'package main\n\nimport (\n\t_ "embed"\n\n\t"example.com/x/part"\n)\n\n//go:embed texts/*.txt\nvar texts embed.FS\n\nfunc main() { part.Do(); _ = texts }\n'
      .replace('_ "embed"', '"embed"'),
  "cmd/texts/a.txt": "a",
  "part/part.go": "package part\n\n// Do does.\nfunc Do() {}\n",
  "part/odd.go": "//go:build odd\n\npackage part\n",
  "other/other.go": "package other\n",
};

Deno.test({
  ...withGo("a Go program would be built anew when a file of its packages changes, comes or goes"),
  fn: () =>
    watching(program, "cmd", async ({ folder, write, changes }) => {
      assert.equal(await changes(), false);
      await write("part/part.go", "package part\n\n// Do does it.\nfunc Do() {}\n");
      assert.equal(await changes(), true, "a package that it imports");
      await write("cmd/more.go", "package main\n");
      assert.equal(await changes(), true, "a new file");
      await Deno.remove(`${folder}/cmd/more.go`);
      assert.equal(await changes(), true, "a file that went");
      await write("go.sum", "x v1.0.0 h1:x=\n");
      assert.equal(await changes(), true, "go.sum");
      await write("cmd/texts/a.txt", "b");
      assert.equal(await changes(), true, "an embedded file");
      await write("cmd/texts/b.txt", "b");
      assert.equal(await changes(), true, "a file that the pattern takes too");
      await write("part/odd.go", "//go:build !odd\n\npackage part\n");
      assert.equal(await changes(), true, "a file that a tag left out");
      await write("go.work", "go 1.21\n\nuse .\n");
      assert.equal(await changes(), true, "a workspace");
    }),
});

Deno.test({
  ...withGo("a Go program would not be built anew for other packages, tests, times, or what the environment has of others"),
  fn: () =>
    watching(program, "cmd", async ({ folder, write, changes }) => {
      await write("other/other.go", "package other\n\nvar X = 1\n");
      await write("part/part_test.go", "package part\n");
      await write("cmd/notes.md", "x");
      await Deno.utime(`${folder}/cmd/main.go`, new Date(), new Date(0));
      assert.equal(await changes({ HOME: "/elsewhere", EDITOR: "vi" }), false);
      assert.equal(await changes({ GOFLAGS: "-tags=x" }), true, "what Go looks at");
      assert.equal(await changes(), true);
      await write("new/go", "");
      assert.equal(await changes({ PATH: `${folder}/none:${folder}/new` }), true, "another Go in PATH");
    }),
});

for (
  const [pattern, name] of [["*/page.txt", "new/page.txt"], ["[a-c].txt", "b.txt"], ["texts", "texts/new/c.txt"], [
    "*.txt",
    "d.txt",
  ]] as const
) {
  Deno.test({
    ...withGo(`a Go program is rebuilt for a new file that matches its pattern ${pattern}`),
    fn: () => {
      const source = `package main\n\nimport "embed"\n\n//go:embed ${pattern}\nvar texts embed.FS\n\nfunc main() { _ = texts }\n`;
      const files = { "go.mod": MODULE, "main.go": source, "a.txt": "", "old/page.txt": "", "texts/a.txt": "", "more/a.txt": "" };
      return watching(files, ".", async ({ write, changes }) => {
        assert.equal(await changes(), false);
        await write(name, "");
        assert.equal(await changes(), true);
      });
    },
  });
}

Deno.test({
  ...withGo("a Go program is rebuilt for a change of a vendored package"),
  fn: () => {
    const files = {
      "go.mod": `${MODULE}\nrequire example.com/y v1.0.0\n`,
      "main.go": 'package main\n\nimport _ "example.com/y"\n\nfunc main() {}\n',
      "vendor/modules.txt": "# example.com/y v1.0.0\n## explicit; go 1.21\nexample.com/y\n",
      "vendor/example.com/y/y.go": "package y\n",
    };
    return watching(files, ".", async ({ write, changes }) => {
      assert.equal(await changes(), false);
      await write("vendor/example.com/y/y.go", "package y\n\nvar Y = 1\n");
      assert.equal(await changes(), true);
    });
  },
});

Deno.test("a script is rebuilt if a module or text that it imports changes, or its project's lock file", () =>
  watching(
    {
      "main.ts":
        'import { part } from "./part.ts";\nimport data from "./data.json" with { type: "json" };\nexport const all = [part, data];\n',
      "part.ts": "export const part = 1;\n",
      "data.json": "1",
      "other.ts": "",
    },
    "main.ts",
    async ({ write, changes }) => {
      await write("other.ts", "export {};");
      assert.equal(await changes(), false);
      await write("part.ts", "export const part = 2;\n");
      assert.equal(await changes(), true);
      await write("data.json", "2");
      assert.equal(await changes(), true);
      await write("deno.lock", "{}");
      assert.equal(await changes(), true);
      await write("main.go", "package main\n");
      assert.equal(await changes(), true, "the folder is a Go program's now");
    },
  ));

Deno.test("a script is rebuilt if an import map or the configuration of a workspace member changes", () =>
  watching(
    {
      "deno.jsonc": '{ // all\n  "workspace": ["./app", "./part"], "importMap": "maps/all.json" }',
      "app/deno.json": "{}",
      "app/main.ts": 'import { part } from "@x/part";\nimport "side";\nexport const all = part;\n',
      "maps/all.json": '{"imports": {"side": "../side.ts"}}',
      "part/deno.json": '{"name": "@x/part", "version": "1.0.0", "exports": "./mod.ts"}',
      "part/mod.ts": "export const part = 1;\n",
      "side.ts": "",
    },
    "app/main.ts",
    async ({ write, changes }) => {
      await write("maps/all.json", '{"imports": {"side": "../other.ts"}}');
      assert.equal(await changes(), true, "the import map");
      await write("part/deno.json", '{"name": "@x/part", "version": "1.0.0", "exports": "./other.ts"}');
      assert.equal(await changes(), true, "a member's config");
      await write("app/tsconfig.json", "{}");
      assert.equal(await changes(), true, "TypeScript's config");
    },
  ));
