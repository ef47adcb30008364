import assert from "node:assert/strict";
import { junitResults } from "./junit.ts";

Deno.test("the results of deno test are read", async () => {
  const directory = await Deno.makeTempDir({ prefix: "kurun-matrix-" });
  try {
    await Deno.writeTextFile(
      `${directory}/a_test.ts`,
      `Deno.test('"a" & <b>', () => {});
       Deno.test({ name: "c", ignore: true, fn() {} });
       Deno.test("d", () => { throw new Error("<no>\\nsecond line"); });`,
    );
    const args = ["test", "--no-config", "--no-lock", "--no-check", "--junit-path=out.xml", "a_test.ts"];
    const { code } = await new Deno.Command(Deno.execPath(), { args, cwd: directory, stdout: "null", stderr: "null" }).output();
    assert.equal(code, 1);
    const results = junitResults(await Deno.readTextFile(`${directory}/out.xml`));
    assert.deepEqual(results, {
      passed: ['"a" & <b>'],
      failed: [{ file: "./a_test.ts", name: "d", error: "Uncaught Error: <no>" }],
      skipped: ["c"],
    });
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
