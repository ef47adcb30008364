import assert from "node:assert/strict";
import { ProtocolError } from "./errors.ts";
import { READ_BYTES } from "./read_buffers.ts";
import { INITIAL_WINDOW, ReceiveWindow, WindowBudget } from "./receive_window.ts";

const KIB = 1024;

function windowAt(clock: { ms: number }, budget = new WindowBudget()): ReceiveWindow {
  return new ReceiveWindow(budget, () => clock.ms);
}

Deno.test("all credit comes back once three eighths of the window were consumed", () => {
  const clock = { ms: 0 };
  const window = windowAt(clock);
  window.received(INITIAL_WINDOW);
  clock.ms = 1_000;
  assert.equal(window.consumed(24 * KIB - 1), 0);
  assert.equal(window.consumed(1), 24 * KIB);
});

Deno.test("a full frame's credit does not wait for the next frame: of windows of 64 and 128 KiB, and in two parts", () => {
  for (const [size, parts] of [[64, [READ_BYTES]], [128, [READ_BYTES]], [64, [32_748, READ_BYTES - 32_748]]] as const) {
    const window = new ReceiveWindow(new WindowBudget(), () => 0, size * KIB);
    window.received(READ_BYTES);
    for (const part of parts) assert.equal(window.consumed(part), part);
  }
});

Deno.test("bytes that are not consumed are never credited, and a sender without credit breaks the protocol", () => {
  const window = windowAt({ ms: 0 });
  window.received(INITIAL_WINDOW);
  assert.throws(() => window.received(1), ProtocolError);
});

Deno.test("a window that is used up within two round trips doubles, and not beyond 8 MiB", () => {
  const clock = { ms: 0 };
  const budget = new WindowBudget();
  budget.measured(40);
  const window = windowAt(clock, budget);
  for (let i = 0; i < 60; i++) {
    const half = window.size / 2;
    window.received(half);
    clock.ms += 40;
    window.consumed(half);
  }
  assert.equal(window.size, 8 * KIB * KIB);
});

Deno.test("the shortest round trip counts, not one that waited behind data", () => {
  const budget = new WindowBudget();
  assert.equal(budget.roundTripMs, 0);
  for (const ms of [5, 3, 200]) budget.measured(ms);
  assert.equal(budget.roundTripMs, 3);
});

Deno.test("a burst does not make a window grow", () => {
  const clock = { ms: 0 };
  const budget = new WindowBudget();
  budget.measured(1);
  const window = windowAt(clock, budget);
  for (let i = 0; i < 100; i++) {
    clock.ms += i % 4 === 0 ? 20 : 0;
    window.received(INITIAL_WINDOW / 2);
    window.consumed(INITIAL_WINDOW / 2);
  }
  assert.equal(window.size, INITIAL_WINDOW);
});

Deno.test("a slow reader's window keeps its size", () => {
  const clock = { ms: 0 };
  const budget = new WindowBudget();
  budget.measured(40);
  const window = windowAt(clock, budget);
  for (let i = 0; i < 20; i++) {
    window.received(INITIAL_WINDOW / 2);
    clock.ms += 1_000;
    window.consumed(INITIAL_WINDOW / 2);
  }
  assert.equal(window.size, INITIAL_WINDOW);
});

Deno.test("all windows together stay under 32 MiB however many would grow, and return what they took", () => {
  const clock = { ms: 0 };
  const budget = new WindowBudget();
  budget.measured(1_000);
  const windows = Array.from({ length: 100 }, () => windowAt(clock, budget));
  for (let i = 0; i < 60; i++) {
    for (const window of windows) {
      const half = window.size / 2;
      window.received(half);
      window.consumed(half);
    }
  }
  assert.ok(budget.granted <= 32 * KIB * KIB, `${budget.granted} bytes`);
  for (const window of windows) window.release();
  assert.equal(budget.granted, 0);
});

/** A window that a large body has made as large as possible. */
function grown(clock: { ms: number }, budget: WindowBudget): ReceiveWindow {
  budget.measured(40);
  const window = windowAt(clock, budget);
  while (window.size < 8 * KIB * KIB) {
    const half = window.size / 2;
    window.received(half);
    clock.ms += 10;
    window.consumed(half);
  }
  return window;
}

Deno.test("a window that carries only small messages returns what a large body made it take", () => {
  const clock = { ms: 0 };
  const budget = new WindowBudget();
  const window = grown(clock, budget);
  let credit = 0;
  for (let i = 0; i < 10_000; i++) {
    clock.ms += 100;
    window.received(KIB);
    credit += window.consumed(KIB);
  }
  assert.equal(window.size, INITIAL_WINDOW);
  assert.equal(budget.granted, INITIAL_WINDOW);
  // Consumed bytes without credit are what the window shrank by, and what gathers for the next credit.
  const kept = 10_000 * KIB - credit - (8 * KIB * KIB - INITIAL_WINDOW);
  assert.ok(kept >= 0 && kept < INITIAL_WINDOW / 2, `${kept} bytes`);
});

Deno.test("a window that is idle and then used again keeps nearly all its size", () => {
  const clock = { ms: 0 };
  const window = grown(clock, new WindowBudget());
  clock.ms += 60_000;
  for (let i = 0; i < 1_000; i++) {
    clock.ms += 1;
    window.received(64 * KIB);
    window.consumed(64 * KIB);
  }
  assert.ok(window.size >= 7 * KIB * KIB, `${window.size} bytes`);
});
