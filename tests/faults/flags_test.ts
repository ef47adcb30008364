import assert from "node:assert/strict";
import { faultFlags, isWanted } from "./flags.ts";

Deno.test("without flags every fault is made once, three at a time, and nothing is written", () => {
  const flags = faultFlags([]);
  assert.deepEqual(flags, { only: [], repeat: 1, atOnce: 3, write: false });
  assert.ok(isWanted("the Pod is deleted", flags));
});

Deno.test("--only takes the faults whose name has one of its words, in any case", () => {
  const flags = faultFlags(["--only", "pod", "--only", "ETCD", "--repeat", "20"]);
  assert.equal(flags.repeat, 20);
  assert.deepEqual(["the Pod is deleted", "etcd is killed", "nothing happens"].map((name) => isWanted(name, flags)), [true, true, false]);
});

Deno.test("--write with a part of the faults is refused, as is a number of times that is none", () => {
  assert.throws(() => faultFlags(["--write", "--only", "pod"]), /--write takes all faults/);
  for (const times of ["0", "-1", "1.5", "many"]) assert.throws(() => faultFlags([`--repeat=${times}`]), /is no number of times/);
});
