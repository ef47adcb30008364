import assert from "node:assert/strict";
import type { FlowRecord, Sight } from "./flow_records.ts";
import { judge, type Observation, type Statement } from "./judgement.ts";

const STATEMENT: Statement = { says: "503", maySee: ["503 lost", "503 nobody"], holdMs: 3_000 };

function record(id: string, ms = 5, saw: Sight = "answered", sentAt = 0): FlowRecord {
  return { id, sentAt, endedAt: sentAt + ms, saw };
}

/** What is wrong with these records, given how often the program has seen each. */
function wrong(seen: Record<string, number>, records: FlowRecord[], more: Partial<Observation> = {}): readonly string[] {
  return judge(STATEMENT, { records, seen: new Map(Object.entries(seen)), faultAt: 0, ...more }).wrong;
}

Deno.test("what the statement allows passes, within the hold plus a second", () => {
  const judged = judge(STATEMENT, {
    records: [record("a"), record("b", 3_900, "503 nobody", 10), record("c", 20, "503 lost", 30)],
    seen: new Map([["a", 1], ["c", 1]]),
    faultAt: 4,
  });
  assert.deepEqual(judged.wrong, []);
  assert.deepEqual([...judged.failed], [["503 nobody", 1], ["503 lost", 1]]);
  assert.deepEqual([judged.requests, judged.longestMs, judged.firstFailureMs], [3, 3_900, 6]);
});

Deno.test("what the statement does not allow is reported with the request that saw it", () => {
  const [text, ...more] = wrong({ a: 1 }, [record("a"), record("b", 7, "reset")]);
  assert.match(text!, /^1 request with an outcome that must not be:\n +b, sent 0 ms after the fault, reset after 7 ms, delivered 0x$/);
  assert.deepEqual(more, []);
});

Deno.test("an answer after the hold plus a second is reported, whatever it says", () => {
  assert.match(wrong({ a: 1 }, [record("a", 4_001)]).join(), /later than the hold plus a second \(4000 ms\)/);
  assert.match(wrong({}, [record("a", 4_001, "503 nobody")]).join(), /later than the hold/);
  assert.doesNotMatch(wrong({}, [record("a", 5_999, "unreachable")]).join(), /later than the hold/);
  assert.match(wrong({}, [record("a", 6_001, "unreachable")]).join(), /later than the hold/);
});

Deno.test("an id that the program sees twice is reported, even if its caller was answered once", () => {
  assert.match(wrong({ a: 2 }, [record("a")]).join(), /1 request seen more than once by the program/);
});

Deno.test('a 200 without the program, and a 503 "nobody" for a delivered request, are reported', () => {
  assert.match(wrong({}, [record("a")]).join(), /answered 200 without the program/);
  assert.match(wrong({ a: 1 }, [record("a", 3_000, "503 nobody")]).join(), /delivered, and yet answered that nobody is connected/);
});

Deno.test("requests that are answered again too late, or not at all, are reported", () => {
  const records = [record("a", 5, "503 lost"), record("b", 5, "answered", 4_000)];
  assert.deepEqual(wrong({ b: 1 }, records, { again: { since: 1_000, withinMs: 3_005 } }), []);
  assert.deepEqual(wrong({ b: 1 }, records, { again: { since: 1_000, withinMs: 3_000 } }), [
    "answered again after 3005 ms, where 3000 ms are allowed",
  ]);
  assert.match(wrong({}, [record("a", 5, "503 lost")], { again: { since: 0, withinMs: 1 } }).join(), /left unanswered at the end/);
});
