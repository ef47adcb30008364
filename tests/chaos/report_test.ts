import assert from "node:assert/strict";
import { chaosPart, type ChaosRun, withChaosRun } from "./report.ts";
import { outcomes } from "./test_file.ts";

const RUN: ChaosRun = { seed: 2, date: "2026-11-29", minutes: 15, files: 9, passed: 40, failed: [], turns: 180, kuruns: 70, found: [] };

Deno.test("a run replaces the row of its seed and leaves the faults and other seeds alone", () => {
  const faults = "# Reliability\n\n| when | seen |\n| --- | --- |\n| 3 days | nothing |\n";
  const test = { file: "f", name: "n", startedAt: 0, endedAt: 1, text: "", reason: "late", passesAlone: true };
  const both = withChaosRun(withChaosRun(faults, { ...RUN, seed: 10 }), RUN);
  const again = withChaosRun(both, { ...RUN, failed: [test, test], found: ["x"] });
  assert.ok(again.startsWith(faults));
  assert.deepEqual(chaosPart(again).split("\n").slice(-3), [
    "| 2 | 2026-11-29 | 15 | 9 | 180 | 70 | 40 | 2 | 2 × late | 0 | 1 |",
    "| 10 | 2026-11-29 | 15 | 9 | 180 | 70 | 40 | 0 | none failed | 0 | 0 |",
    "",
  ]);
  assert.equal(again.split("## Random chaos").length, 2);
});

Deno.test("the report of deno test is read: sums, errors of several lines, and a file that did not get to its end", () => {
  const error = "error: Error: x\n y => z\n    at file:///t/a_test.ts:1:2";
  const at = "./tests/e2e/kubernetes.ts:143:8";
  const output =
    `a ... FAILED (1s)\nb ... ok (2ms)\n\n ERRORS \n\na => ${at}\n${error}\n\n FAILURES \n\na => ${at}\n\nFAILED | 3 passed | 1 failed (1s)\n`;
  const failed = [{ file: "f", name: "a", startedAt: 5, endedAt: 6, text: error }];
  assert.deepEqual(outcomes("f", output, new Map([["a", { startedAt: 5, endedAt: 6 }]])), { passed: 3, failed });
  assert.match(outcomes("f", "a ... ", new Map()).broken ?? "", /^f printed no sum/);
});
