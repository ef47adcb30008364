import assert from "node:assert/strict";
import { startGoCaller } from "../../tests/go_caller.ts";
import { SeededRandom } from "../../tests/seeded_random.ts";
import { answerWithin, goDurationMs, holdWithin, patienceIn, patienceOf } from "./patience.ts";

Deno.test("durations are read as Go's time.ParseDuration reads them", async () => {
  const random = new SeededRandom(20);
  const pieces = [
    "0",
    "1",
    "10",
    "007",
    "99999999999",
    "123456789012345678901",
    ".",
    ".5",
    "1.",
    "-",
    "+",
    "e3",
    " ",
    "_",
    "ns",
    "us",
    "µs",
  ]
    .concat(["μs", "ms", "s", "m", "h", "S", "d", "s", "ms", "10s", "0.30000000000000000001ms", ""]);
  const texts = Array.from({ length: 20_000 }, () => Array.from({ length: 1 + random.below(5) }, () => random.pick(pieces)).join(""));
  const go = await startGoCaller("durations");
  const written = new Response(texts.map((text) => `${text}\n`).join("")).body!.pipeTo(go.stdin);
  const answers = new TextDecoder().decode((await go.output()).stdout).trimEnd().split("\n");
  await written;
  let positive = 0;
  for (const [i, text] of texts.entries()) {
    const ns = Number(answers[i]);
    const ms = goDurationMs(text);
    if (!(ns > 0)) assert.equal(ms, undefined, text);
    else assert.ok(Math.abs(ms! * 1e6 - ns) <= ns * 1e-12, `${text}: ${ms} ms, ${ns} ns`);
    if (ns > 0) positive++;
  }
  assert.ok(positive > 500, `${positive}`);
});

Deno.test("a caller's patience is the first timeout of its query, unless that is no sensible duration", () => {
  for (
    const [target, ms] of [
      ["/mutate?timeout=10s", 10_000],
      ["/mutate?a=1&timeout=2.5s&timeout=1s", 2_500],
      ["http://k/?timeout=1m", 60_000],
      ["/?timeout=1%6Ds", 1],
      ["/?timeout=%C2%B5", undefined],
      ["/?timeout=3%C2%B5s", 0.003],
      ["/mutate", undefined],
      ["/timeout=10s", undefined],
      ["/?notimeout=10s", undefined],
      ["/?timeout", undefined],
      ["/?timeout=", undefined],
      ["/?timeout=10", undefined],
      ["/?timeout=0s", undefined],
      ["/?timeout=-10s", undefined],
      ["/?timeout=%", undefined],
      ["/?timeout=10m", 600_000],
      ["/?timeout=601s", undefined],
      [`/?timeout=${"9".repeat(60_000)}s`, undefined],
    ] as const
  ) {
    assert.equal(patienceOf(target), ms, target.slice(0, 40));
    const bytes = new TextEncoder().encode(`GET ${target} HTTP/1.1`);
    assert.equal(patienceIn(bytes, { start: 4, end: 4 + target.length }), ms, target.slice(0, 40));
  }
});

Deno.test("an answer is sent a second and a quarter before the patience is over, or at three quarters of a short one", () => {
  assert.deepEqual([1_000, 2_000, 4_000, 10_000].map(holdWithin), [250, 750, 2_750, 8_750]);
  assert.deepEqual([1_000, 2_000, 4_000, 10_000].map(answerWithin), [750, 1_500, 3_000, 8_750]);
});

Deno.test("a target of nothing but digits takes no time", () => {
  const started = performance.now();
  assert.equal(patienceOf(`/?timeout=${"1".repeat(60_000)}`), undefined);
  assert.equal(patienceOf(`/?timeout=${"1".repeat(60_000)}s`), undefined);
  // Reading each digit in two ways took 10 s.
  assert.ok(performance.now() - started < 1_000);
});
