import assert from "node:assert/strict";
import { parseDuration } from "./flag_values.ts";

Deno.test("durations are written as Kubernetes writes them", () => {
  const read = (text: string) => parseDuration("--ttl", text);
  assert.deepEqual(["0", "500ms", "3s", "2m", "1h", "1m30s", "1.5s"].map(read), [0, 500, 3_000, 120_000, 3_600_000, 90_000, 1_500]);
});

for (const text of ["5", "s", "-3s", "3 s", "3x", "", "3s4"]) {
  Deno.test(`"${text}" is not a duration, and the error names the flag`, () => assert.throws(() => parseDuration("--ttl", text), /--ttl/));
}

Deno.test("a duration above its limit is refused with the limit, which is at most a timer's", () => {
  assert.equal(parseDuration("--hold", "10m", 600_000), 600_000);
  assert.throws(() => parseDuration("--hold", "1h", 600_000), { message: "--hold must be 0 to 10m, got 1h" });
  assert.throws(() => parseDuration("--timeout", "600h"), { message: "--timeout must be 0 to 596h, got 600h" });
});
