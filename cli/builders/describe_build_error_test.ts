import assert from "node:assert/strict";
import { BuildError, type BuildFailure } from "./build_error.ts";
import { describeError } from "../describe_error.ts";
import { ExitCode } from "../command/errors.ts";

const SENTENCES: readonly (readonly [BuildFailure, RegExp, number])[] = [
  [{ is: "no-such-file", given: "a.go" }, /no file or folder a\.go/, ExitCode.usage],
  [{ is: "unknown-kind", given: "a.py" }, /^error: a\.py is neither Go/, ExitCode.usage],
  [{ is: "several", given: ["a.ts", "b.ts"] }, /a\.ts and b\.ts are more than one program/, ExitCode.usage],
  [{ is: "several-folders", given: ["a/a.go", "b/b.go"] }, /several folders: a\/a\.go, b\/b\.go/, ExitCode.usage],
  [{ is: "go-test-file", given: "a_test.go" }, /a_test\.go is a test/, ExitCode.usage],
  [
    { is: "no-main", given: "d", looked: ["main.ts"], module: true },
    /go\.mod but no Go files\. Name the folder of the main package/,
    ExitCode.usage,
  ],
  [{ is: "no-main", given: "d", looked: ["main.ts"], module: false }, /neither Go files nor main\.ts\. Name the file/, ExitCode.usage],
  [{ is: "bad-config", path: "/p/deno.json", reason: "line 3" }, /\/p\/deno\.json cannot be read: line 3/, ExitCode.failed],
  [{ is: "not-main", given: "./lib" }, /\.\/lib is a library/, ExitCode.usage],
  [{ is: "no-go" }, /go was not found in PATH.*go\.dev\/dl/, ExitCode.failed],
  [{ is: "no-bundler", node: true }, /deno .* was not found in PATH.* no esbuild\. Run npm install/, ExitCode.failed],
  [{ is: "no-bundler", node: false }, /deno 2\.4 or newer was not found in PATH.*bundle scripts\. Install Deno/, ExitCode.failed],
  [
    { is: "failed", tool: "go build", exitCode: 1, module: true },
    /failed before compiling .* module or its packages: see above/,
    ExitCode.failed,
  ],
  [{ is: "needs-cgo", package: "a/b", files: ["b/c.go"] }, /a\/b needs cgo \(b\/c\.go\).*CGO_ENABLED=0\.\n.*Dockerfile/, ExitCode.failed],
  [
    { is: "failed", tool: "go build", exitCode: 1, module: false },
    /go build failed with exit code 1: see above/,
    ExitCode.failed,
  ],
  [{ is: "no-output", tool: "esbuild" }, /esbuild succeeded but wrote no program/, ExitCode.failed],
  [{ is: "too-large", bytes: 600e6, most: 536e6 }, /has 600 MB; the Pod takes at most 536 MB/, ExitCode.failed],
];

for (const [failure, sentence, exitCode] of SENTENCES) {
  Deno.test(`${failure.is} has a text for the user: ${sentence.source}`, () => {
    const said = describeError(new BuildError(failure));
    assert.match(said.text, sentence);
    assert.ok(said.text.split("\n").length <= 3 && !/[.!]$/.test(said.text), said.text);
    assert.equal(said.exitCode, exitCode);
  });
}
