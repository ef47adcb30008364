import assert from "node:assert/strict";
import { ALONE, e2eRounds } from "./e2e_rounds.ts";

Deno.test("each file of tests on the cluster is run once, and those that are to run alone exist", async () => {
  const names = (await Array.fromAsync(Deno.readDir(new URL("e2e", import.meta.url)))).map(({ name }) => name);
  const files = names.filter((name) => name.endsWith("_test.ts")).map((name) => `tests/e2e/${name}`).sort();
  const rounds = e2eRounds(files);
  assert.deepEqual(rounds.flatMap((round) => round.files).sort(), files);
  const alone = rounds.filter(({ flags }) => flags.length === 0).flatMap((round) => round.files);
  assert.deepEqual(alone, ALONE.map((name) => `tests/e2e/${name}_test.ts`));
  assert.deepEqual(e2eRounds(["tests/compiled_test.ts"]).length, 1);
});
