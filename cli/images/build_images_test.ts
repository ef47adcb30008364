import assert from "node:assert/strict";
import { join } from "node:path";
import { BuildError } from "../builders/build_error.ts";
import { BuildErrors, type SourceReference } from "./build_errors.ts";
import { buildImages } from "./build_images.ts";
import { describeError } from "../describe_error.ts";
import { ExitCode } from "../command/errors.ts";

/** Runs with a folder of scripts and its own cache. */
async function withScripts(
  files: Record<string, string>,
  use: (world: {
    folder: string;
    build(names: readonly string[], signal?: AbortSignal): ReturnType<typeof buildImages>;
    said: () => string;
  }) => Promise<void>,
): Promise<void> {
  const folder = await Deno.realPath(await Deno.makeTempDir());
  let said = "";
  try {
    for (const [name, text] of Object.entries(files)) await Deno.writeTextFile(join(folder, name), text);
    const build = (names: readonly string[], signal = new AbortController().signal) =>
      buildImages(names.map((name): SourceReference => ({ path: join(folder, name.split("#")[0] as string), what: `a.yaml:${name}` })), {
        architecture: Deno.build.arch === "aarch64" ? "arm64" : "amd64",
        jobs: 2,
        cacheFolder: `${folder}/cache`,
        cwd: folder,
        environment: {},
        now: () => 0,
        stderr: (text) => said += text,
        signal,
      });
    await use({ folder, build, said: () => said });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("all sources that cannot be built become one error, with their references and the compiler's output for each", () =>
  withScripts({ "one.ts": "export const = 1;\n", "two.ts": 'import "./not_there.ts";\n' }, async ({ build }) => {
    const error = await build(["one.ts#1", "nowhere", "one.ts#2", "two.ts"]).then(() => undefined, (error) => error);
    assert.ok(error instanceof BuildErrors);
    assert.deepEqual(error.failed.map(({ sources }) => sources.map(({ what }) => what)), [
      ["a.yaml:one.ts#1", "a.yaml:one.ts#2"],
      ["a.yaml:nowhere"],
      ["a.yaml:two.ts"],
    ]);
    assert.ok(error.failed[1]?.error instanceof BuildError);
    assert.match(error.failed[0]?.said ?? "", /one\.ts/);
    assert.doesNotMatch(error.failed[0]?.said ?? "", /not_there/);
    const { text, exitCode } = describeError(error);
    assert.equal(exitCode, ExitCode.failed);
    assert.match(
      text,
      /^error: 3 images could not be built; nothing was sent anywhere\na\.yaml:one\.ts#1, a\.yaml:one\.ts#2: deno bundle failed with exit code 1\n {2}/,
    );
    assert.match(text, /\na\.yaml:nowhere: there is no file or folder .*nowhere\n/);
    const usage = await build(["nowhere"]).then(() => undefined, (error) => error);
    assert.equal(describeError(usage).exitCode, ExitCode.usage);
  }));

Deno.test("an interrupted build throws the signal's reason and not a build error", () =>
  withScripts({ "one.ts": "export const one = 1;\n" }, async ({ build }) => {
    const reason = new Error("interrupted");
    await assert.rejects(build(["one.ts"], AbortSignal.abort(reason)), reason);
  }));
