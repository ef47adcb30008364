import assert from "node:assert/strict";
import { findings, hasStack, namespacesDone, type Witnessed, witnessed } from "./findings.ts";

/** What a witness writes. The last entry may be cut by a kill. */
function kurun(args: string, ...entries: [number, string, string][]): Witnessed {
  const all = [[0, "start", JSON.stringify({ pid: 7, args: args.split(" ") })], ...entries];
  return witnessed(`${all.map((entry) => JSON.stringify(entry)).join("\n")}\n[9,"std`);
}

const FORWARD = "port-forward http://localhost:1 -n t";

Deno.test("a kurun that failed and said why, and one that Ctrl+C ended in time, did nothing wrong", () => {
  assert.deepEqual(findings(kurun(FORWARD, [5, "stderr", "error: cannot reach the API server\n"], [6, "exit", "3"])), []);
  assert.deepEqual(findings(kurun(FORWARD, [5, "signal", "SIGINT"], [20_000, "exit", "0"])), []);
  assert.deepEqual(findings(kurun(FORWARD)), []);
});

Deno.test("a stack, an unhandled error, success after an error and a hang are found", () => {
  const bad = (...entries: [number, string, string][]) =>
    findings(kurun(FORWARD, ...entries)).map((text) => text.replace(`kurun ${FORWARD}: `, ""));
  assert.match(bad([5, "stderr", "TypeError: x\n    at dial (file:///s/k8s/api/dial.ts:9:1)\n"])[0]!, /^printed a stack/);
  assert.match(bad([5, "stderr", "error: this is a bug in kurun. Please"], [6, "exit", "1"])[0]!, /^printed a stack/);
  assert.deepEqual(bad([5, "unhandled", "Error: x"]), ["nothing handled Error: x"]);
  assert.match(bad([5, "stderr", "error: lost\n"], [6, "exit", "0"])[0]!, /^exit code 0 after an error/);
  assert.match(bad([5, "signal", "SIGINT"], [25_000, "exit", "0"])[0]!, /^ended 25\.0 s after it was told to end/);
  assert.match(bad([5, "signal", "SIGINT"], [25_005, "alive", ""])[0]!, /^still ran 25\.0 s after it was told to end/);
  assert.deepEqual(bad([5, "signal", "SIGINT"], [1_005, "alive", ""]), []);
});

Deno.test("the stack of a user's program is not kurun's", () => {
  assert.deepEqual(findings(kurun("run x.ts -n t", [5, "stderr", "Error: x\n    at file:///app/x.ts:1:7\n"], [6, "exit", "1"])), []);
  assert.deepEqual(findings(kurun("build ./a", [5, "stderr", "error: x\n      at file:///tmp/a/main.ts:1:8\n"], [6, "exit", "1"])), []);
  assert.deepEqual(findings(kurun("apply -f k8s --watch", [5, "stderr", "error: x\n"], [6, "exit", "0"])), []);
  assert.ok(!hasStack("503 nobody is connected\n"));
  assert.ok(hasStack("error: Uncaught (in promise) TypeError: x\n    at file:///kurun/server.js:10:3\n"));
});

Deno.test("sessions must be gone from a namespace if every kurun that held one there ended with success", () => {
  const ended = (args: string, code: string) => kurun(args, [5, "exit", code]);
  assert.deepEqual([...namespacesDone([ended("port-forward u -n a", "0"), ended("ls -n b", "0"), ended("run x -n c", "1")])], ["a"]);
  assert.deepEqual([...namespacesDone([ended("port-forward u -n a", "0"), kurun("webhook u -n a")])], []);
  assert.deepEqual([...namespacesDone([ended("run x --rm=false -n a", "0")])], []);
  const said = "Session kurun-u could not be removed (Connection refused): the cluster removes it within 120 s\n";
  assert.deepEqual([...namespacesDone([kurun("port-forward u -n a", [5, "stderr", said], [6, "exit", "0"])])], []);
});
