import assert from "node:assert/strict";
import { describeRunEnd } from "./run_end.ts";

Deno.test("only an end that the exit code does not explain is commented on", () => {
  const killed = { killedHere: true };
  const not = { killedHere: false };
  assert.equal(describeRunEnd({ code: 3 }, not), undefined);
  assert.equal(describeRunEnd({ code: 137 }, not), undefined);
  assert.equal(describeRunEnd({ code: 130, signal: "SIGINT" }, not), undefined);
  assert.equal(describeRunEnd({ code: 137, signal: "SIGKILL" }, killed), undefined);
  assert.match(describeRunEnd({ code: 137, signal: "SIGKILL" }, not)!, /not by kurun/);
  assert.match(describeRunEnd({ code: 137, signal: "SIGKILL", outOfMemory: true }, not)!, /exit code 137\): the Pod's memory ran out/);
  assert.match(describeRunEnd({ code: 139, signal: "SIGSEGV" }, not)!, /ended by SIGSEGV \(exit code 139\)/);
});
