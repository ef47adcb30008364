import assert from "node:assert/strict";
import { onWake } from "./timers.ts";

Deno.test("a jump of the clock is reported as a sleep; a busy second is not, nor anything after the end", async () => {
  const stop = new AbortController();
  const told: number[] = [];
  let ahead = 0;
  const date = () => new Date(Date.now() + ahead);
  onWake(date, (ms) => told.push(ms), stop.signal);
  ahead = 2_000;
  await new Promise((resolve) => setTimeout(resolve, 1_100));
  assert.deepEqual(told, []);
  ahead = 62_000;
  await new Promise((resolve) => setTimeout(resolve, 1_100));
  assert.equal(told.length, 1);
  assert.ok(Math.abs((told[0] ?? 0) - 60_000) < 2_000);
  stop.abort();
  ahead = 200_000;
  await new Promise((resolve) => setTimeout(resolve, 1_100));
  assert.equal(told.length, 1);
});
