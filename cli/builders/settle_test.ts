import assert from "node:assert/strict";
import { LONGEST_MS, QUIET_MS, Settling } from "./settle.ts";

Deno.test("there is nothing to wait for before the first change, or after changes were taken", () => {
  const changes = new Settling();
  assert.equal(changes.wait(0), undefined);
  changes.add("a", 10);
  changes.take();
  assert.equal(changes.wait(10), undefined);
});

Deno.test("changes are complete after a quiet time, and each file is reported once", () => {
  const changes = new Settling();
  changes.add("b", 1_000);
  changes.add("a", 1_010);
  changes.add("b", 1_020);
  assert.equal(changes.wait(1_020), QUIET_MS);
  assert.equal(changes.wait(1_020 + QUIET_MS - 1), 1);
  assert.equal(changes.wait(1_020 + QUIET_MS), 0);
  assert.deepEqual(changes.take(), ["b", "a"]);
  changes.add("c", 5_000);
  assert.deepEqual(changes.take(), ["c"]);
});

Deno.test("endless changes are reported all the same, and the next ones wait again", () => {
  const changes = new Settling();
  for (let now = 0; now < LONGEST_MS; now += QUIET_MS / 2) {
    changes.add("log", now);
    assert.ok(changes.wait(now), `over at ${now}`);
  }
  changes.add("log", LONGEST_MS);
  assert.equal(changes.wait(LONGEST_MS), 0);
  changes.take();
  changes.add("log", LONGEST_MS + 1);
  assert.equal(changes.wait(LONGEST_MS + 1), QUIET_MS);
});
