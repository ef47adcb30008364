import assert from "node:assert/strict";
import { sparingly } from "./sparing_log.ts";

Deno.test("what strangers cause in a loop is logged 20 times in 10 s, and the rest is counted", () => {
  let time = 0;
  const lines: string[] = [];
  const log = sparingly((line) => lines.push(line), () => time);
  const logged = Array.from({ length: 1_000 }, (_, i) => log(`line ${i}`));
  assert.deepEqual([logged.indexOf(false), logged.lastIndexOf(true)], [20, 19]);
  assert.deepEqual([lines.length, lines.at(-1)], [20, "line 19"]);
  time = 10_000;
  assert.ok(log("later"));
  assert.deepEqual(lines.slice(20), ["980 more lines like these were left out", "later"]);
});
