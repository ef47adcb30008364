import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { ExitCode } from "../command/errors.ts";
import { describeError } from "../describe_error.ts";
import { BuildError } from "./build_error.ts";
import type { BuildOptions, BuiltProgram } from "./built_program.ts";
import { buildGo } from "./go_builder.ts";
import { goArchitecture } from "../../tests/cluster/go.ts";
import { findSource } from "./program_source.ts";
import { withGo } from "../../tests/with_go.ts";

/** What is built here, for Linux, is also run here. */
function linuxWithGo(name: string): { readonly name: string; readonly ignore: boolean } {
  const test = withGo(name);
  return { ...test, ignore: test.ignore || Deno.build.os !== "linux" };
}

const HELLO = 'package main\n\nimport "os"\n\nfunc main() { os.Stdout.WriteString("hello\\n") }\n';
const MODULE = "module example.com/x\n\ngo 1.21\n";

interface Attempt {
  readonly program?: BuiltProgram;
  readonly error?: unknown;
  readonly said: string;
}

/** Builds targets in a folder with these files and checks the result. */
async function building(
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
    assert.equal(source.language, "go");
    if (source.language !== "go") return;
    const stderr = (text: string) => void (said += text);
    const signal = new AbortController().signal;
    try {
      program = await buildGo(source, { architecture: goArchitecture(), stderr, signal, ...options });
    } catch (thrown) {
      error = thrown;
    }
    await look({ ...program && { program }, error, said }, folder);
  } finally {
    await program?.dispose();
    await Deno.remove(folder, { recursive: true });
  }
}

function failure({ error }: Attempt): [code: string, text: string] {
  assert.ok(error instanceof BuildError, String(error));
  const { text, exitCode } = describeError(error);
  assert.ok(text.split("\n").length <= 3 && !/[.!]$/.test(text), text);
  assert.equal(exitCode, error.code === "not-main" ? ExitCode.usage : ExitCode.failed);
  return [error.code, text];
}

async function output(program: BuiltProgram | undefined): Promise<string> {
  assert.ok(program);
  const { stdout, stderr } = await new Deno.Command(program.path).output();
  return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
}

async function isThere(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

Deno.test({
  ...linuxWithGo("a Go program becomes one static executable with its size and digest, which disposing removes"),
  fn: () =>
    building({ "go.mod": MODULE, "main.go": HELLO }, ["main.go"], async ({ program, said }) => {
      assert.equal(said, "");
      assert.equal(await output(program), "hello\n");
      assert.ok(program);
      assert.equal(program.kind, "executable");
      const bytes = await Deno.readFile(program.path);
      assert.equal(program.size, bytes.length);
      assert.equal(program.sha256, new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex());
      await program.dispose();
      assert.ok(!await isThere(dirname(program.path)));
      await program.dispose();
    }),
});

Deno.test({
  ...linuxWithGo("a Go program is built for the node's architecture, not this machine's"),
  fn: () => {
    const architecture = goArchitecture() === "arm64" ? "amd64" : "arm64";
    return building({ "go.mod": MODULE, "main.go": "package main\n\nfunc main() {}\n" }, ["."], async ({ program }) => {
      assert.ok(program);
      const bytes = await Deno.readFile(program.path);
      // ELF's e_machine: 183 is AArch64, 62 x86-64.
      assert.equal(new DataView(bytes.buffer).getUint16(18, true), architecture === "arm64" ? 183 : 62);
    }, { architecture });
  },
});

Deno.test({
  ...linuxWithGo("workspaces, vendor folders and several files are handled by the user's go"),
  fn: () =>
    building(
      {
        "go.work": "go 1.21\n\nuse (\n\t./app\n\t./lib\n)\n",
        "lib/go.mod": "module example.com/lib\n\ngo 1.21\n",
        "lib/lib.go": 'package lib\n\nconst Word = "workspace"\n',
        "app/go.mod": MODULE,
        "app/main.go": "package main\n\nfunc main() { say() }\n",
        "app/say.go": 'package main\n\nimport "example.com/lib"\n\nfunc say() { println(lib.Word) }\n',
      },
      ["app/main.go", "app/say.go"],
      async ({ program, said }) => {
        assert.equal(said, "");
        assert.equal(await output(program), "workspace\n");
      },
    ),
});

Deno.test({
  ...linuxWithGo("a stack trace of a stripped program still names files and lines"),
  fn: () =>
    building(
      { "go.mod": MODULE, "main.go": 'package main\n\nfunc main() {\n\tpanic("boom")\n}\n' },
      ["main.go"],
      async ({ program }, folder) => {
        const text = await output(program);
        assert.match(text, /^panic: boom/);
        assert.ok(text.includes("./main.go:4") && !text.includes(folder), text);
      },
    ),
});

Deno.test({
  ...linuxWithGo("a Go program has the same bytes wherever its source is"),
  fn: async () => {
    const digests: string[] = [];
    for (let time = 0; time < 2; time++) {
      await building({ "go.mod": MODULE, "main.go": "package main\n\nfunc main() { panic(1) }\n" }, ["."], ({ program }) => {
        digests.push(program?.sha256 ?? "none");
      });
    }
    assert.equal(digests[0], digests[1]);
    assert.match(digests[0] ?? "", /^[0-9a-f]{64}$/);
  },
});

Deno.test({
  ...linuxWithGo("the user's own linker flags are kept"),
  fn: () =>
    building(
      { "go.mod": MODULE, "main.go": 'package main\n\nvar word = "unset"\n\nfunc main() { println(word) }\n' },
      ["."],
      async (attempt) => {
        assert.equal(await output(attempt.program), "set\n");
      },
      { env: { GOFLAGS: "-ldflags=-X=main.word=set" } },
    ),
});

Deno.test({
  ...linuxWithGo("the compiler's errors are passed on unchanged and name the file as the user sees it"),
  fn: () =>
    building({ "go.mod": MODULE, "cmd/a/main.go": "package main\n\nfunc main() { nope() }\n" }, ["cmd/a/main.go"], (attempt) => {
      assert.equal(attempt.said, "# command-line-arguments\ncmd/a/main.go:3:15: undefined: nope\n");
      assert.deepEqual(failure(attempt), ["failed", "error: go build failed with exit code 1: see above"]);
    }),
});

for (
  const [what, files] of [
    ["a go.mod that cannot be read", { "go.mod": "module\nnonsense here\n", "main.go": HELLO }],
    ["a package that no module provides", {
      "go.mod": MODULE,
      "main.go": 'package main\n\nimport _ "example.org/nowhere"\n\nfunc main() {}\n',
    }],
  ] as const
) {
  Deno.test({
    ...linuxWithGo(`${what} is reported as the module's fault`),
    fn: () =>
      building(files, ["."], (attempt) => {
        const text = "error: go build failed before compiling (exit code 1), because of the module or its packages: see above";
        assert.deepEqual(failure(attempt), ["failed", text]);
        assert.match(attempt.said, /go\.mod|example\.org\/nowhere/);
      }),
  });
}

Deno.test({
  ...linuxWithGo("a library is not a program"),
  fn: () =>
    building({ "go.mod": MODULE, "lib/lib.go": "package lib\n\nconst A = 1\n" }, ["lib"], (attempt) => {
      assert.deepEqual(failure(attempt), ["not-main", "error: lib is a library, not a program: its package is not main"]);
    }),
});

Deno.test("without go in PATH the error says so", () =>
  building({ "go.mod": MODULE, "main.go": HELLO }, ["."], (attempt) => {
    const text = "error: go was not found in PATH; it is needed to build Go programs. Install Go from https://go.dev/dl";
    assert.deepEqual(failure(attempt), ["no-go", text]);
  }, { env: { PATH: "/nowhere" } }));

Deno.test({
  ...linuxWithGo("an interrupted build stops the compiler and leaves no temporary files"),
  async fn() {
    const [folder, temporary] = [await Deno.makeTempDir(), await Deno.makeTempDir()];
    const here = (file: string) => JSON.stringify(new URL(file, import.meta.url).href);
    // In a process with a TMPDIR of its own: other test files run in this one at the same time.
    const program = `
      import { buildGo } from ${here("go_builder.ts")};
      import { findSource } from ${here("program_source.ts")};
      const source = await findSource(["."], ${JSON.stringify(folder)});
      const signal = AbortSignal.timeout(1_500);
      const options = { architecture: ${JSON.stringify(goArchitecture())}, stderr: () => {}, signal };
      await buildGo(source, options).catch((error) => console.log(error === signal.reason));
    `;
    // Compiling this takes longer than the test: a constant with very many terms.
    const slow = `package main\n\nfunc main() {\n${'\tprintln(1.5*2.5, "a"+"b")\n'.repeat(60_000)}}\n`;
    try {
      await Deno.writeTextFile(join(folder, "go.mod"), MODULE);
      await Deno.writeTextFile(join(folder, "main.go"), slow);
      const options: Deno.CommandOptions = {
        args: ["eval", "-q", program],
        cwd: new URL(".", import.meta.url),
        env: { TMPDIR: temporary },
        stderr: "inherit",
      };
      const { stdout } = await new Deno.Command(Deno.execPath(), options).output();
      assert.equal(new TextDecoder().decode(stdout), "true\n");
      for await (const { name } of Deno.readDir(temporary)) {
        assert.ok(!name.startsWith("kurun-build-") && !name.startsWith("go-build"), name);
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
      await Deno.remove(temporary, { recursive: true });
    }
  },
});

const CGO_LIBRARY =
  'package native\n\n// static int twice(int n) { return 2 * n; }\nimport "C"\n\nfunc Twice(n int) int { return int(C.twice(C.int(n))) }\n';
const ONLY_CGO = 'package main\n\n// #include <stdlib.h>\nimport "C"\n\nfunc main() { println(int(C.abs(-3))) }\n';
const USES_LIBRARY = 'package main\n\nimport "example.com/x/native"\n\nfunc main() { println(native.Twice(21)) }\n';

for (
  const [name, files, targets, need] of [
    ["the main package uses it", { "main.go": ONLY_CGO }, ["."], { package: "example.com/x", files: ["main.go"] }],
    ["a named file uses it", { "main.go": ONLY_CGO }, ["main.go"], { package: "main.go", files: ["main.go"] }],
    ["all files of a package use it", { "main.go": USES_LIBRARY, "native/a.go": CGO_LIBRARY }, ["."], {
      package: "example.com/x/native",
      files: ["native/a.go"],
    }],
    ["a name is declared only with cgo", { "main.go": USES_LIBRARY, "native/doc.go": "package native\n", "native/a.go": CGO_LIBRARY }, [
      ".",
    ], {
      package: "example.com/x/native",
      files: ["native/a.go"],
    }],
    [
      "a method is declared behind a build tag",
      {
        "main.go": "package main\n\ntype thing struct{}\n\nfunc main() { thing{}.run() }\n",
        "run.go": "//go:build cgo\n\npackage main\n\nfunc (thing) run() {}\n",
      },
      ["."],
      { package: "example.com/x", files: ["run.go"] },
    ],
  ] as const
) {
  Deno.test({
    ...linuxWithGo(`a build that fails without cgo is reported as such: ${name}`),
    fn: () =>
      building({ "go.mod": MODULE, ...files }, [...targets], (attempt) => {
        const [code, text] = failure(attempt);
        const what = `error: ${need.package} needs cgo (${need.files.join(", ")}), and kurun builds Go programs with CGO_ENABLED=0.\n`;
        assert.equal(code, "needs-cgo", attempt.said);
        assert.ok(text.startsWith(`${what}  Use a package in pure Go instead, or build an image with a Dockerfile`), text);
      }),
  });
}

Deno.test({
  ...linuxWithGo("an ordinary compile error is not blamed on cgo, even if a package has cgo files"),
  fn: async () => {
    const files = {
      "go.mod": MODULE,
      "main.go": USES_LIBRARY.replace("native.Twice(21)", "native.Thrice(21)"),
      "native/a.go": CGO_LIBRARY,
      "native/b.go": "//go:build !cgo\n\npackage native\n\nfunc Twice(n int) int { return 2 * n }\n",
    };
    await building(files, ["."], (attempt) => {
      assert.deepEqual(failure(attempt), ["failed", "error: go build failed with exit code 1: see above"]);
    });
    await building({ ...files, "main.go": USES_LIBRARY }, ["."], async ({ program }) => assert.equal(await output(program), "42\n"));
  },
});

Deno.test({
  ...linuxWithGo("a Go program has time zones of its own, built from a folder, from files or with an overlay, and prefers the system's"),
  fn: async () => {
    const source = `package main

import (
	"fmt"
	"os"
	"time"
)

func main() {
	_, err := time.LoadLocation("Europe/Berlin")
	_, ours := time.LoadLocation("Kurun/Here")
	fmt.Println(err, ours == nil, len(os.Args))
}
`;
    const overlays = ["-overlay=overlay.json", "'-overlay=my overlay.json'"];
    for (const targets of [["."], ["main.go"], ["main.go", "more.go"], ["cmd/x"], ...overlays]) {
      const overlay = JSON.stringify({ Replace: { "replaced.go": "more.go" } });
      const files = {
        ...{ "go.mod": MODULE, "main.go": source, "more.go": "package main\n", "cmd/x/main.go": source },
        ...typeof targets === "string" && { "replaced.go": "broken", "overlay.json": overlay, "my overlay.json": overlay },
      };
      const [names, options] = typeof targets === "string" ? [["."], { env: { GOFLAGS: targets } }] : [targets, {}];
      await building(files, names, async ({ program, said }) => {
        assert.ok(program, said);
        const zones = await Deno.makeTempDir();
        const run = async (env: Record<string, string>) =>
          new TextDecoder().decode(
            (await new Deno.Command("unshare", {
              args: [
                "-rm",
                "sh",
                "-c",
                `[ ! -d /usr/share/zoneinfo ] || mount --bind ${zones} /usr/share/zoneinfo || exit; exec ${program.path}`,
              ],
              env,
            }).output()).stdout,
          );
        assert.equal(await run({}), "<nil> false 1\n");
        await Deno.mkdir(`${zones}/Kurun`);
        const utc = [0x54, 0x5a, 0x69, 0x66, ...new Array(39).fill(0)];
        // One local time type and its abbreviation (RFC 9636).
        [utc[39], utc[43]] = [1, 4];
        await Deno.writeFile(`${zones}/Kurun/Here`, new Uint8Array([...utc, 0, 0, 0, 0, 0, 0, 85, 84, 67, 0]));
        assert.equal(await run({ ZONEINFO: zones }), "<nil> true 1\n");
        await Deno.remove(zones, { recursive: true });
      }, options);
    }
  },
});
