import assert from "node:assert/strict";
import { dirname, join, relative } from "node:path";
import { findSource } from "./program_source.ts";
import { jsonValues } from "./go_command.ts";
import { embedRoot, foldersOf, GO_NAME, isOwn, isWatched, localModules, type WatchedPaths, watchedPaths } from "./watched_paths.ts";
import { withGo } from "../../tests/with_go.ts";

/** The watched paths of targets in a folder with these files, relative to it. */
async function watched(files: Record<string, string>, targets: string[]): Promise<{ files: string[]; folders: string[] }> {
  const folder = await Deno.realPath(await Deno.makeTempDir());
  try {
    for (const [name, text] of Object.entries(files)) {
      await Deno.mkdir(dirname(join(folder, name)), { recursive: true });
      await Deno.writeTextFile(join(folder, name), text);
    }
    const source = await findSource(targets, folder);
    const paths = await watchedPaths(source, { architecture: "amd64", signal: new AbortController().signal });
    const names = (all: Iterable<string>) => [...all].map((path) => relative(folder, path)).sort();
    assert.ok([...paths.folders.values()].every((pattern) => pattern === GO_NAME));
    return { files: names(paths.files), folders: names(paths.folders.keys()) };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const GO_PROJECT = {
  "go.work": "go 1.21\n\nuse (\n\t./app\n\t./lib\n)\n",
  "lib/go.mod": "module example.com/lib\n\ngo 1.21\n",
  "lib/lib.go": 'package lib\n\nconst Word = "lib"\n',
  "lib/other/other.go": "package other\n",
  "app/go.mod": "module example.com/app\n\ngo 1.21\n",
  "app/word.txt": "embedded",
  "app/main.go": 'package main\n\nimport (\n\t_ "embed"\n\t_ "example.com/app/inner"\n\t_ "example.com/lib"\n\t_ "net/http"\n)\n\n' +
    "//go:embed word.txt\nvar word string\n\nfunc main() { broken }\n",
  "app/more_amd64.go": "package main\n",
  "app/more_arm64.go": "package main\n",
  "app/inner/inner.go": "package inner\n",
  "app/unused/unused.go": "package unused\n",
};
const GO_CONFIGS = ["app/go.mod", "app/go.sum", "go.work", "go.work.sum", "lib/go.mod", "lib/go.sum"];
Deno.test({
  ...withGo("for a Go package, the user's own packages, embedded files and module files are watched, even if they do not compile"),
  async fn() {
    assert.deepEqual(await watched(GO_PROJECT, ["app"]), {
      files: [...GO_CONFIGS, "app/word.txt", "app/main.go", "app/more_amd64.go", "app/more_arm64.go", "app/inner/inner.go", "lib/lib.go"]
        .sort(),
      folders: ["app", "app/inner", "lib"],
    });
  },
});

Deno.test({
  ...withGo("for named Go files, the others in their folder are not watched"),
  async fn() {
    const { files, folders } = await watched({ "a.go": "package main\n\nfunc main() {}\n", "b.go": "package main\n" }, ["a.go"]);
    assert.deepEqual([files, folders], [["a.go"], []]);
  },
});

Deno.test("for a script, its modules, also missing and broken ones, and its configuration are watched", async () => {
  const files = {
    "deno.json": "{}",
    "main.ts":
      'import "./a.ts";\nimport "./missing.ts";\nimport "npm:ws@8.21.0";\nawait import("./later.ts");\nimport d from "./d.json" with { type: "json" };\n',
    "a.ts": "const broken = ;\n",
    "later.ts": "",
    "d.json": "{}",
    "unused.ts": "",
  };
  assert.deepEqual((await watched(files, ["main.ts"])).files, ["a.ts", "d.json", "deno.json", "later.ts", "main.ts", "missing.ts"]);
});

Deno.test("a new Go file in a package's folder counts, a test or one elsewhere does not", () => {
  const paths: WatchedPaths = { files: new Set(["/m/go.mod", "/m/a/word.txt"]), folders: new Map([["/m/a", GO_NAME]]) };
  const matter = ["/m/a/new.go", "/m/a/word.txt", "/m/go.mod"];
  const not = ["/m/a/new_test.go", "/m/a/b/new.go", "/m/a/.new.go.swp", "/m/a/4913", "/m/go.sum"];
  assert.deepEqual([...matter, ...not].filter((path) => isWatched(path, paths)), matter);
  assert.deepEqual(foldersOf(paths), ["/m", "/m/a"]);
});

Deno.test({
  ...withGo("a new file that matches go:embed counts, one next to it does not"),
  async fn() {
    const files = {
      "go.mod": "module example.com/x\n\ngo 1.21\n",
      "main.go": 'package main\n\nimport "embed"\n\n//go:embed *.sql static\nvar all embed.FS\n\nfunc main() { _ = all }\n',
      "a.sql": "",
      "static/deep/a.css": "",
    };
    const folder = await Deno.realPath(await Deno.makeTempDir());
    try {
      for (const [name, text] of Object.entries(files)) {
        await Deno.mkdir(dirname(join(folder, name)), { recursive: true });
        await Deno.writeTextFile(join(folder, name), text);
      }
      const paths = await watchedPaths(await findSource(["."], folder), { architecture: "amd64", signal: new AbortController().signal });
      const matter = ["b.sql", "static/b.css", "static/deep/b.css", "static/new"];
      const not = ["b.txt", "main_test.go", "other/b.sql"];
      assert.deepEqual([...matter, ...not].filter((name) => isWatched(join(folder, name), paths)), matter);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

Deno.test("embedRoot() is the folder that has all matches of a pattern", () => {
  const cases: [string, string][] = [
    ["static", "/x/static"],
    ["all:static", "/x/static"],
    ["static/*.html", "/x/static"],
    ["static/*/page.html", "/x/static"],
    ["a/b/c.txt", "/x/a/b/c.txt"],
    ["*.txt", "/x"],
  ];
  for (const [pattern, root] of cases) assert.equal(embedRoot("/x", pattern), root, pattern);
});

Deno.test("a package is the user's own unless it is from the standard library or was fetched", () => {
  assert.ok(isOwn({}));
  assert.ok(isOwn({ Module: { GoMod: "/m/go.mod" } }));
  assert.ok(isOwn({ Module: { Version: "v1.0.0", Replace: {} } }));
  assert.ok(!isOwn({ Module: { Version: "v1.0.0", Replace: { Version: "v1.0.1" } } }));
  assert.ok(!isOwn({ Module: { Version: "v1.0.0" } }));
  assert.ok(!isOwn({ Standard: true }));
});

Deno.test("several JSON values of Go's are split, whatever their strings contain", () => {
  const values = [{ Dir: "/a}\n{" }, { GoFiles: ["}", "{"] }, {}];
  assert.deepEqual([...jsonValues(values.map((value) => `${JSON.stringify(value, null, "\t")}\n`).join(""))], values);
  assert.deepEqual([...jsonValues("")], []);
});

Deno.test("modules in packages are not the user's own", () => {
  const info = { modules: [{ specifier: "file:///p/a%20b.ts" }, { specifier: "file:///p/node_modules/x/y.js" }, { specifier: "npm:ws" }] };
  assert.deepEqual(localModules(JSON.stringify(info)), ["/p/a b.ts"]);
});
