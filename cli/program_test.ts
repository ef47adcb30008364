import assert from "node:assert/strict";
import { programName } from "./program.ts";

for (
  const [startedAs, name] of [
    ["deno", "kurun"],
    ["/usr/local/bin/kurun", "kurun"],
    ["kubectl-kurun", "kubectl kurun"],
    ["/home/me/.krew/bin/kubectl-kurun", "kubectl kurun"],
    ["C:\\tools\\kubectl-kurun.exe", "kubectl kurun"],
    ["", "kurun"],
  ] as const
) {
  Deno.test(`started as "${startedAs}", it is ${name}`, () => assert.equal(programName(startedAs), name));
}
