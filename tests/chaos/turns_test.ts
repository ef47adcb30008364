import assert from "node:assert/strict";
import { ACTIONS } from "./actions.ts";
import { filesInTurn, turns } from "./turns.ts";

function first(seed: number, count: number) {
  const sequence = turns(seed, ACTIONS);
  return Array.from({ length: count }, () => sequence.next().value);
}

Deno.test("what happens depends on the seed alone, and everything happens within an hour", () => {
  assert.deepEqual(first(7, 720), first(7, 720));
  assert.notDeepEqual(first(7, 20), first(8, 20));
  assert.deepEqual(new Set(first(7, 720).map(({ action }) => action.name)), new Set(ACTIONS.map(({ name }) => name)));
});

Deno.test("everything is over before the next thing happens", () => {
  assert.ok(first(1, 5_000).every(({ ms, choice }) => ms >= 500 && ms < 4_000 && choice >= 0 && choice < 1));
});

Deno.test("runs on consecutive days begin with every file in the end", () => {
  const files = Array.from({ length: 49 }, (_, number) => number);
  assert.deepEqual(filesInTurn(3, files).toSorted((a, b) => a - b), files);
  assert.equal(new Set(files.map((seed) => filesInTurn(seed, files)[0])).size, files.length);
});
