/**
 * Data that a command prints and that does not reach the user: the exit code must not say that all went well.
 *
 * @module
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { readSlowly } from "./slow_reader.ts";

const MAIN = fileURLToPath(new URL("../main.ts", import.meta.url));
const linux = { ignore: Deno.build.os !== "linux" };

async function inShell(line: string): Promise<{ code: number; stdout: string; stderr: string }> {
  const { code, stdout, stderr } = await new Deno.Command("bash", {
    args: ["-c", line, "bash", Deno.execPath(), "run", "-A", "--quiet", MAIN],
    stdin: "null",
  }).output();
  return { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
}

for (const command of ["version", "completion bash", "--help", "run --help"]) {
  Deno.test({
    ...linux,
    name: `kurun ${command} fails where standard output is a full disk, and says why`,
    fn: async () => {
      const { code, stderr } = await inShell(`"$@" ${command} > /dev/full`);
      assert.equal(code, 1);
      assert.equal(stderr, "error: standard output could not be written: No space left on device (os error 28)\n");
    },
  });
}

Deno.test({
  ...linux,
  name: "a reader that has left is not a failure, and messages that cannot be written do not change the exit code",
  fn: async () => {
    assert.deepEqual(await inShell(`"$@" completion bash | true; exit \${PIPESTATUS[0]}`), { code: 0, stdout: "", stderr: "" });
    assert.equal((await inShell(`"$@" nonsense 2> /dev/full`)).code, 2);
    assert.equal((await inShell(`"$@" version 2> /dev/full`)).code, 0);
  },
});

Deno.test({
  ...linux,
  name: "a non-blocking pipe whose reader is slow gets everything",
  fn: async () => {
    const values = 'new Array(60_000).fill("value").join("\\n")';
    const writer = `import { writeData } from ${JSON.stringify(MAIN)}; writeData(${values} + "\\n");`;
    const { stdout, stderr } = await readSlowly([Deno.execPath(), "eval", "--quiet", writer]);
    assert.equal(stdout, "360000 0\n", stderr);
  },
});
