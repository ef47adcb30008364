import assert from "node:assert/strict";
import { SeededRandom } from "../../tests/seeded_random.ts";
import { unifiedDiff } from "./unified_diff.ts";

const NAMES = { before: "a", after: "b" };

Deno.test("equal texts have an empty diff", () => {
  assert.equal(unifiedDiff("a\nb\n", "a\nb\n", NAMES), "");
});

Deno.test("a changed line has three lines of context, and distant changes have separate hunks", () => {
  const before = Array.from({ length: 20 }, (_, line) => `line ${line + 1}\n`);
  const after = before.with(4, "five\n").with(17, "eighteen\n");
  assert.equal(
    unifiedDiff(before.join(""), after.join(""), NAMES),
    [
      "--- a\n+++ b\n@@ -2,7 +2,7 @@\n line 2\n line 3\n line 4\n-line 5\n+five\n line 6\n line 7\n line 8\n",
      "@@ -15,6 +15,6 @@\n line 15\n line 16\n line 17\n-line 18\n+eighteen\n line 19\n line 20\n",
    ].join(""),
  );
});

Deno.test("a new text is all additions, and a deleted one all removals", () => {
  assert.equal(unifiedDiff("", "a\nb\n", NAMES), "--- a\n+++ b\n@@ -0,0 +1,2 @@\n+a\n+b\n");
  assert.equal(unifiedDiff("a\n", "", NAMES), "--- a\n+++ b\n@@ -1,1 +0,0 @@\n-a\n");
});

Deno.test("12,000 lines are fast: new, with few changes, and all different", () => {
  const lines = (word: string) => Array.from({ length: 12_000 }, (_, line) => `${word} ${line}\n`);
  const [before, after] = [lines("before"), lines("after")];
  const began = performance.now();
  assert.equal(unifiedDiff("", before.join(""), NAMES).split("\n").length, 12_004);
  assert.equal(unifiedDiff(before.join(""), before.with(6_000, "x\n").join(""), NAMES).split("\n").length, 12);
  const all = unifiedDiff(`same\n${before.join("")}end\n`, `same\n${after.join("")}end\n`, NAMES);
  assert.match(all, /^--- a\n\+\+\+ b\n@@ -2,12000 \+2,12000 @@\n-before 0\n/);
  assert.equal(all.split("\n").length, 24_004);
  // The quadratic search took a minute.
  assert.ok(performance.now() - began < 20_000, `${performance.now() - began} ms`);
});

Deno.test("patch turns the first text into the second by the diff (100 seeds)", async () => {
  const folder = await Deno.makeTempDir();
  try {
    for (let seed = 1; seed <= 100; seed++) {
      const random = new SeededRandom(seed);
      const lines = () =>
        Array.from({ length: random.below(40) }, () => `${random.pick(["a", "b", "c", "d", "-- e", "+", ""])}\n`).join("");
      const before = lines();
      const after = random.chance(0.5) ? lines() : before.split("\n").filter(() => random.chance(0.9)).join("\n");
      if (before === after || (after !== "" && !after.endsWith("\n"))) continue;
      await Deno.writeTextFile(`${folder}/a`, before);
      await Deno.writeTextFile(`${folder}/d`, unifiedDiff(before, after, NAMES));
      const { code, stderr, stdout } = await new Deno.Command("patch", { args: ["-s", "-o", "out", "a", "d"], cwd: folder }).output();
      assert.equal(code, 0, `seed ${seed}: ${new TextDecoder().decode(stderr)}${new TextDecoder().decode(stdout)}`);
      assert.equal(await Deno.readTextFile(`${folder}/out`), after, `seed ${seed}`);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
