import assert from "node:assert/strict";
import { matrixFlags } from "./flags.ts";
import { compatibilityDocument, type RowResult } from "./report.ts";
import { CHOSEN, rowName, ROWS } from "./rows.ts";

const NAMES = ROWS.map(rowName);
const RESULT: RowResult = {
  row: { kubernetes: "1.31", topology: "one-node" },
  version: "v1.31.13",
  files: "all 50",
  results: {
    passed: Array(200).fill("passes"),
    failed: [{ file: "./tests/e2e/ls_test.ts", name: "ls | wc", error: "Uncaught Error: no" }],
    skipped: [],
  },
  onlyAlone: ["slow"],
  tookMs: 1_230_000,
  when: "2026-01-02, kurun 0.1.0 (abc)",
};

Deno.test("docs/compatibility.md has a line for each row that was run, now or earlier", () => {
  const first = compatibilityDocument(NAMES, [RESULT], "");
  assert.ok(first.endsWith(
    "| Kubernetes 1.31, one-node | v1.31.13 | all 50 | 200 | 1: slow | 1: ls \\| wc (ls_test.ts): Uncaught Error: no | 0 | 21 | 2026-01-02, kurun 0.1.0 (abc) |\n",
  ));
  const other: RowResult = { ...RESULT, row: { ...RESULT.row, kubernetes: "1.37" }, version: "v1.37.2" };
  const second = compatibilityDocument(NAMES, [other], first);
  assert.ok(second.startsWith(first));
  assert.equal(second.split("\n").length, first.split("\n").length + 1);
  assert.equal(compatibilityDocument(NAMES, [], second), second);
});

Deno.test("docs/compatibility.md is as it is written, with its rows", async () => {
  const text = await Deno.readTextFile(new URL("../../docs/compatibility.md", import.meta.url));
  assert.equal(compatibilityDocument(NAMES, [], text), text);
});

Deno.test("the arguments choose rows of the matrix by their names", () => {
  assert.deepEqual(matrixFlags([]), { rows: ROWS, all: false, write: false });
  assert.deepEqual(matrixFlags(["--only", "1.31", "--only", "1.37", "--all"]).rows.map(({ kubernetes }) => kubernetes), ["1.31", "1.37"]);
  assert.throws(() => matrixFlags(["--only", "1.12"]), /^TypeError: --only 1\.12: no row has such a name/);
  assert.throws(() => matrixFlags(["--al"]), TypeError);
});

Deno.test("the chosen files of the matrix exist", async () => {
  for (const name of CHOSEN) await Deno.stat(new URL(`../e2e/${name}_test.ts`, import.meta.url));
  assert.equal(new Set(CHOSEN).size, CHOSEN.length);
});
