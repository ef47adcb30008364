import assert from "node:assert/strict";
import { SeededRandom } from "../../tests/seeded_random.ts";
import { formatBytes, formatMs, formatTrafficLine, shownTarget, timeOfDay } from "./traffic_line.ts";

Deno.test("a line has method, target, status, bytes, milliseconds, caller, and a note where there is one", () => {
  const line = { method: "POST", target: "/mutate?timeout=10s", status: 200, bytes: 1_234, ms: 3.42, caller: "10.244.0.1:52069" };
  assert.equal(formatTrafficLine(line), "POST /mutate?timeout=10s 200 1.2kB 3.4ms 10.244.0.1:52069");
  assert.equal(
    formatTrafficLine({ ...line, status: undefined, bytes: 0, note: "caller left" }),
    "POST /mutate?timeout=10s - 0B 3.4ms 10.244.0.1:52069 caller left",
  );
});

for (
  const [target, shown] of [
    ["/a?token=x&b=c", "/a?token=…&b=c"],
    ["/a?access_token=x;API-Key=y;c", "/a?access_token=…;API-Key=…;c"],
    ["/a?X-Amz-Signature=x&X-Amz-Credential=y&sig=z", "/a?X-Amz-Signature=…&X-Amz-Credential=…&sig=…"],
    ["/a?%74oken=x&client%5Fsecret=y", "/a?%74oken=…&client%5Fsecret=…"],
    ["/a?password=x=y&passwd=&q=a?token=b", "/a?password=…&passwd=…&q=a?token=b"],
    ["/a?%zz=b&timeout=10s&design=c", "/a?%zz=b&timeout=10s&design=c"],
    ["http://user:pass@host/a@b?c", "http://…@host/a@b?c"],
    ["user:pass@host:443", "…@host:443"],
    ["/users/a@b", "/users/a@b"],
    ["/a\x9b2J\xe9", "/a?2J?"],
    [`/${"a".repeat(400)}`, `/${"a".repeat(299)}…`],
    ["*", "*"],
  ] as const
) {
  Deno.test(`the target ${target.slice(0, 60)} is shown without credentials and control codes`, () =>
    assert.equal(shownTarget(target), shown));
}

Deno.test("bytes and milliseconds are short", () => {
  assert.deepEqual([0, 999, 1_000, 1_234, 9_960, 34_000, 999_600, 2_500_000_000].map(formatBytes), [
    "0B",
    "999B",
    "1.0kB",
    "1.2kB",
    "10kB",
    "34kB",
    "1.0MB",
    "2.5GB",
  ]);
  assert.deepEqual([0, 0.04, 3.42, 99.96, 120.4, 65_000].map(formatMs), ["0.0ms", "0.0ms", "3.4ms", "100ms", "120ms", "65000ms"]);
});

Deno.test("the time of day is right for dates in any order, within a second and across days", () => {
  const random = new SeededRandom(29);
  let ms = Date.UTC(2026, 2, 28);
  for (let i = 0; i < 3_000; i++) {
    ms += random.pick([0, 1, 400, 999, 1_000, -1, -700, 3_600_000, -86_400_000, 86_400_000]);
    assert.equal(timeOfDay(new Date(ms)), new Date(ms).toTimeString().slice(0, 8));
  }
});
