import assert from "node:assert/strict";
import type { Context } from "../command/context.ts";
import { renderStatus } from "./status_line.ts";
import { StatusScreen } from "./status_screen.ts";

const SINCE = new Date(2026, 0, 2, 14, 5, 9);
const QUIET = { open: 0, connections: 0, requests: undefined, errors: 0, lastError: undefined };
const BUSY = { open: 3, connections: 40, requests: 128, errors: 2, lastError: "POST /mutate 500" };

Deno.test("the status says state, open connections, requests, errors and the last one", () => {
  assert.equal(renderStatus({ is: "waiting" }, QUIET, 100, false), "Waiting · 0 open · 0 connections");
  assert.equal(
    renderStatus({ is: "forwarding", since: SINCE }, BUSY, 100, false),
    "Forwarding since 14:05:09 · 3 open · 128 requests · 2 errors, the last: POST /mutate 500",
  );
  assert.equal(
    renderStatus({ is: "lost", since: SINCE, why: "connect: timed\nout" }, { ...QUIET, connections: 1 }, 100, false),
    "Connection lost since 14:05:09 (connect: timed out) · 0 open · 1 connection",
  );
});

Deno.test("the status never takes more columns than there are, wide characters counted", () => {
  const status = { ...BUSY, lastError: "日本語のエラー" };
  for (let width = 0; width < 100; width++) {
    const line = renderStatus({ is: "forwarding", since: SINCE }, status, width, false);
    const columns = [...line].reduce((sum, character) => sum + (/[\u3000-\u9fff]/.test(character) ? 2 : 1), 0);
    assert.ok(columns <= width, `${columns} columns of ${width}: ${line}`);
  }
  assert.equal(renderStatus({ is: "forwarding", since: SINCE }, BUSY, 12, false), "Forwarding …");
});

Deno.test("colours are off where they are not wanted, and control codes of an error never reach the terminal", () => {
  const status = { ...BUSY, lastError: "a\x1b[2Jb\r\nc" };
  assert.match(
    renderStatus({ is: "forwarding", since: SINCE }, status, 200, true),
    /^\p{Cc}\[32mForwarding since 14:05:09\p{Cc}\[0m .*\p{Cc}\[31m2 errors\p{Cc}\[0m, the last: a \[2Jb c$/u,
  );
  assert.doesNotMatch(renderStatus({ is: "forwarding", since: SINCE }, status, 200, false), /\p{Cc}/u);
});

/** A context whose terminal is a list of writes. */
function terminal(
  env: Record<string, string>,
  columns: number | undefined,
): { context: Context; writes: string[]; clock: { now: number } } {
  const writes: string[] = [];
  const clock = { now: 1_000 };
  const context = {
    env: (name: string) => env[name],
    stdout: (text: string) => void writes.push(`out: ${text}`),
    stderr: (text: string) => void writes.push(text),
    terminal: columns === undefined ? undefined : { columns: () => columns },
    now: () => clock.now,
    date: () => SINCE,
  } as unknown as Context;
  return { context, writes, clock };
}

Deno.test("what is said stands above the line, which is drawn five times a second at most, and goes in the end", async () => {
  const { context, writes, clock } = terminal({ NO_COLOR: "1" }, 80);
  const screen = new StatusScreen(context);
  screen.show({ is: "forwarding", since: SINCE });
  for (let i = 0; i < 100; i++) {
    screen.traffic.opened();
    screen.context.stderr(`line ${i}\n`);
  }
  assert.deepEqual(writes, ["Waiting · 0 open · 0 connections"]);
  clock.now += 200;
  await new Promise((resolve) => setTimeout(resolve, 250));
  const lines = Array.from({ length: 100 }, (_, i) => `line ${i}\n`).join("");
  assert.deepEqual(writes.slice(1), [`\r\x1b[K${lines}Forwarding since 14:05:09 · 100 open · 100 connections`]);
  screen.context.stderr("last\n");
  screen.close();
  await new Promise((resolve) => setTimeout(resolve, 250));
  assert.deepEqual(writes.slice(2), ["\r\x1b[Klast\n"]);
  screen.context.stderr("after\n");
  assert.equal(writes.at(-1), "after\n");
});

Deno.test("standard output never mixes with the line", () => {
  const { context, writes } = terminal({ NO_COLOR: "" }, 80);
  const screen = new StatusScreen(context);
  screen.context.stdout("Forwarding\n");
  screen.close();
  assert.deepEqual(writes.slice(1), ["\r\x1b[K", "out: Forwarding\n"]);
});

for (const [where, env, columns] of [["a pipe", {}, undefined], ["a dumb terminal", { TERM: "dumb" }, 80]] as const) {
  Deno.test(`in ${where} there are plain lines alone`, () => {
    const { context, writes } = terminal(env, columns);
    const screen = new StatusScreen(context);
    screen.show({ is: "forwarding", since: SINCE });
    screen.context.stderr("line\n");
    screen.close();
    assert.deepEqual(writes, ["line\n"]);
  });
}

Deno.test("where there is no line to draw, the first thing said passes at once, and what follows within 20 ms is one write", async () => {
  const { context, writes, clock } = terminal({}, undefined);
  const screen = new StatusScreen(context);
  for (let i = 0; i < 100; i++) screen.context.stderr(`line ${i}\n`);
  assert.deepEqual(writes, ["line 0\n"]);
  clock.now += 20;
  await new Promise((resolve) => setTimeout(resolve, 60));
  assert.deepEqual(writes.slice(1), [Array.from({ length: 99 }, (_, i) => `line ${i + 1}\n`).join("")]);
  screen.context.stderr("before\n");
  screen.context.stdout("Forwarding\n");
  screen.context.stderr("last\n");
  screen.close();
  assert.deepEqual(writes.slice(2), ["before\n", "out: Forwarding\n", "last\n"]);
});
