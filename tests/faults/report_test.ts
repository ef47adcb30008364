import assert from "node:assert/strict";
import type { Fault, FaultRun } from "./fault.ts";
import { reliabilityDocument, runText, wrongTogether } from "./report.ts";

const FAULT: Fault = {
  name: "the Pod is deleted",
  says: "nothing",
  maySee: [],
  holdMs: 3_000,
  againMedianMs: 5_000,
  run: () => Promise.reject(new Error("not run")),
};

function run(againMs: number, more: Partial<FaultRun> = {}): FaultRun {
  const judgement = {
    requests: 1_000,
    failed: new Map([["refused", 3]] as const),
    firstFailureMs: 12,
    longestMs: 3_450,
    againMs,
    sentAnew: 0,
    wrong: [],
  };
  return { fault: FAULT, judgement, figures: { "until gone": againMs }, wrong: [], tookMs: 20_000, stalledMs: 3, ...more };
}

Deno.test("a run is one line, with what was wrong below it", () => {
  const line = "1000 requests; 3 × refused; first after 12 ms; longest 3450 ms; answered again after 900 ms; until gone 900";
  assert.equal(runText(run(900)), `the Pod is deleted ... ok (20 s): ${line}\n`);
  assert.equal(runText(run(900, { wrong: ["so"] })), `the Pod is deleted ... FAILED (20 s): ${line}\n    - so\n`);
});

Deno.test("the median is checked for ten runs, and not for fewer", () => {
  const times = [1, 2, 3, 4, 4_999, 5_001, 6_000, 7_000, 8_000, 9_000];
  assert.deepEqual(wrongTogether(FAULT, times.map((ms) => run(ms))), []);
  assert.match(wrongTogether(FAULT, [...times.slice(1), 9_000].map((ms) => run(ms))).join(), /after 5501 ms in the median, where 5000 ms/);
  assert.deepEqual(wrongTogether(FAULT, times.slice(5).map((ms) => run(ms))), []);
});

Deno.test("the document has a row for each fault that sums up its runs", () => {
  const text = reliabilityDocument([FAULT], [run(1_000), run(2_000, { wrong: ["so"] })], "Today, here.");
  assert.match(text, /Today, here\./);
  const row = "| the Pod is deleted | nothing | 1 of 2 | 2,000 | 6 × refused | 3.5 s | 1.5 s | 2.0 s | " +
    "until gone: median 1.5 s, at most 2.0 s |";
  assert.ok(text.includes(`${row}\n`), text);
});
