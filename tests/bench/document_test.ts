import assert from "node:assert/strict";
import { withFigures } from "./document.ts";
import { benchFlags, isWanted } from "./flags.ts";

const DOCUMENT = new URL("../../docs/benchmarks.md", import.meta.url);

Deno.test("new figures replace the old ones, and the text around them stays", async () => {
  const before = await Deno.readTextFile(DOCUMENT);
  const once = withFigures(before, "| a | b |\n");
  assert.equal(withFigures(once, "| a | b |\n"), once);
  const [head, tail] = once.split("\n| a | b |\n\n") as [string, string];
  assert.ok(head.startsWith("# Benchmarks\n") && before.startsWith(head));
  assert.ok(tail.startsWith("<!--") && before.endsWith(tail));
});

Deno.test("a document without the marks is refused, not overwritten", () => {
  assert.throws(() => withFigures("# Benchmarks\n", "| a |"), /lacks the lines/);
});

Deno.test("--write is refused with --only or --quick", () => {
  assert.throws(() => benchFlags(["--write", "--quick"]), /whole table/);
  assert.throws(() => benchFlags(["--write", "--only", "redis"]), /whole table/);
});

Deno.test("--only chooses parts by words in their names; without it all parts are measured", () => {
  const names = ["requests plain 50", "50 MB down and up", "redis tcp"];
  const chosen = (...args: string[]) => names.filter((name) => isWanted(name, benchFlags(args)));
  assert.deepEqual(chosen("--only", "50 mb", "--only", "redis"), ["50 MB down and up", "redis tcp"]);
  assert.deepEqual(chosen(), names);
});
