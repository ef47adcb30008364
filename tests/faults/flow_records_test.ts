import assert from "node:assert/strict";
import { answeredAgainAt, type FlowRecord, isPrompt, type Sight } from "./flow_records.ts";

function record(sentAt: number, ms: number, saw: Sight = "answered"): FlowRecord {
  return { id: String(sentAt), sentAt, endedAt: sentAt + ms, saw };
}

Deno.test("a waiting request is prompt for one second; one that was held for longer is not, even if it was answered", () => {
  assert.ok(isPrompt({ id: "a", sentAt: 5 }, 1_005));
  assert.ok(!isPrompt({ id: "a", sentAt: 5 }, 1_006));
  assert.ok(!isPrompt(record(0, 1_001), Infinity));
  assert.ok(!isPrompt(record(0, 1, "refused"), Infinity));
});

Deno.test("requests are answered again with the first answer after which none is late or fails", () => {
  const records = [record(0, 5), record(100, 3_000, "503 nobody"), record(200, 2_400), record(1_900, 700), record(2_700, 5)];
  assert.equal(answeredAgainAt(records, 1_000), 2_600);
});

Deno.test("if nothing failed, requests are answered again immediately", () => {
  assert.equal(answeredAgainAt([record(0, 5), record(20, 5)], 10), 10);
});

Deno.test("one failure at the end means that they are not answered again", () => {
  assert.equal(answeredAgainAt([record(0, 5), record(2_000, 1, "refused")], 10), undefined);
});

Deno.test("a single late failure moves the time to after it", () => {
  assert.equal(answeredAgainAt([record(0, 5), record(9_000, 1, "reset"), record(9_020, 3)], 10), 9_023);
});
