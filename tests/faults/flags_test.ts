import assert from "node:assert/strict";
import { faultFlags, isWanted } from "./flags.ts";

Deno.test("without flags every fault runs once, three at a time, and nothing is written", () => {
  const flags = faultFlags([]);
  assert.deepEqual(flags, { only: [], transport: "auto", repeat: 1, atOnce: 3, write: false });
  assert.ok(isWanted("the Pod is deleted", flags));
});

Deno.test("--only chooses the faults whose name contains one of its words, ignoring case", () => {
  const flags = faultFlags(["--only", "pod", "--only", "ETCD", "--repeat", "20"]);
  assert.equal(flags.repeat, 20);
  assert.deepEqual(["the Pod is deleted", "etcd is killed", "nothing happens"].map((name) => isWanted(name, flags)), [true, true, false]);
});

Deno.test("--write with --only is refused, and so is an invalid number of runs", () => {
  assert.throws(() => faultFlags(["--write", "--only", "pod"]), /--write needs all faults/);
  for (const times of ["0", "-1", "1.5", "many"]) assert.throws(() => faultFlags([`--repeat=${times}`]), /must be a whole number/);
});
