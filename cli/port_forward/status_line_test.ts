import assert from "node:assert/strict";
import type { Context } from "../command/context.ts";
import { renderStatus } from "./status_line.ts";
import { StatusScreen } from "./status_screen.ts";

const SINCE = new Date(2026, 0, 2, 14, 5, 9);
const QUIET = { open: 0, connections: 0, requests: 0, errors: 0, lastError: undefined };
const BUSY = { open: 3, connections: 40, requests: 128, errors: 2, lastError: "POST /mutate 500" };

const style = (width: number, color = false) => ({ width, color, now: new Date(SINCE.getTime() + 3_400) });

Deno.test("the status shows the state, open connections, requests, errors and the last error", () => {
  assert.equal(renderStatus({ is: "starting", since: SINCE }, QUIET, style(100)), "Starting kurun's Pod (3 s)…");
  assert.equal(
    renderStatus({ is: "forwarding", since: SINCE }, BUSY, style(100)),
    "Forwarding since 14:05:09 · 3 open · 128 requests · 2 errors, the last: POST /mutate 500",
  );
  assert.equal(
    renderStatus({ is: "lost", since: SINCE, why: "connect: timed\nout" }, { ...QUIET, connections: 1 }, style(100)),
    "Connection lost since 14:05:09 (connect: timed out) · 0 open · 1 connection",
  );
});

Deno.test("a request that is waited for comes first", () => {
  const waiting = { ...QUIET, waiting: "waiting 12 s of 30: CREATE pods/web" };
  assert.equal(
    renderStatus({ is: "forwarding", since: SINCE }, waiting, style(100)),
    "waiting 12 s of 30: CREATE pods/web · Forwarding since 14:05:09 · 0 open · 0 connections",
  );
});

Deno.test("connections are shown where no request was read, as with gRPC", () => {
  const grpc = { ...QUIET, open: 1, connections: 2 };
  assert.equal(renderStatus({ is: "forwarding", since: SINCE }, grpc, style(100)), "Forwarding since 14:05:09 · 1 open · 2 connections");
});

Deno.test("the status never takes more columns than there are, wide characters included", () => {
  const status = { ...BUSY, lastError: "日本語のエラー" };
  for (let width = 0; width < 100; width++) {
    const line = renderStatus({ is: "forwarding", since: SINCE }, status, style(width));
    const columns = [...line].reduce((sum, character) => sum + (/[\u3000-\u9fff]/.test(character) ? 2 : 1), 0);
    assert.ok(columns <= width, `${columns} columns of ${width}: ${line}`);
  }
  assert.equal(renderStatus({ is: "forwarding", since: SINCE }, BUSY, style(12)), "Forwarding …");
});

Deno.test("colors are off by default, and control characters of an error are escaped", () => {
  const status = { ...BUSY, lastError: "a\x1b[2Jb\r\nc" };
  assert.match(
    renderStatus({ is: "forwarding", since: SINCE }, status, style(200, true)),
    /^\p{Cc}\[32mForwarding since 14:05:09\p{Cc}\[0m .*\p{Cc}\[31m2 errors\p{Cc}\[0m, the last: a\\x1b\[2Jb c$/u,
  );
  assert.doesNotMatch(renderStatus({ is: "forwarding", since: SINCE }, status, style(200)), /\p{Cc}/u);
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
    terminal: columns === undefined ? undefined : { columns: () => columns, write: (text: string) => void writes.push(text) },
    now: () => clock.now,
    date: () => SINCE,
  } as unknown as Context;
  return { context, writes, clock };
}

Deno.test("messages are printed above the line, which is drawn at most five times a second and removed at the end", async () => {
  const { context, writes, clock } = terminal({ NO_COLOR: "1" }, 80);
  const screen = new StatusScreen(context);
  screen.show({ is: "forwarding", since: SINCE });
  for (let i = 0; i < 100; i++) {
    screen.traffic.opened({ awaits: false });
    screen.context.stderr(`line ${i}\n`);
  }
  assert.deepEqual(writes, ["Starting kurun's Pod (0 s)…"]);
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

Deno.test("standard output never mixes with the status line", () => {
  const { context, writes } = terminal({ NO_COLOR: "" }, 80);
  const screen = new StatusScreen(context);
  screen.context.stdout("Forwarding\n");
  screen.close();
  assert.deepEqual(writes.slice(1), ["\r\x1b[K", "out: Forwarding\n"]);
});

Deno.test("the line is not drawn again right after standard output, whose reader in a pipe may print to the same terminal", async () => {
  const { context, writes, clock } = terminal({ NO_COLOR: "1" }, 80);
  const screen = new StatusScreen(context);
  clock.now += 1_000;
  screen.context.stdout("Forwarding\n");
  screen.show({ is: "forwarding", since: SINCE });
  assert.deepEqual(writes.slice(1), ["\r\x1b[K", "out: Forwarding\n"]);
  clock.now += 200;
  await new Promise((resolve) => setTimeout(resolve, 250));
  assert.equal(writes.at(-1), "Forwarding since 14:05:09 · 0 open · 0 connections");
  screen.close();
});

Deno.test("the line leaves room for the ^C that a terminal echoes, and messages cannot move the cursor", () => {
  const { context, writes } = terminal({ NO_COLOR: "1" }, 20);
  const screen = new StatusScreen(context);
  assert.deepEqual(writes, ["Starting kurun's…"]);
  screen.context.stderr("a SAN: \x1b[2J\n");
  screen.close();
  assert.deepEqual(writes.slice(1), ["\r\x1b[Ka SAN: \\x1b[2J\n"]);
});

for (const [where, env, columns] of [["a pipe", {}, undefined], ["a dumb terminal", { TERM: "dumb" }, 80]] as const) {
  Deno.test(`${where} gets plain lines only`, () => {
    const { context, writes } = terminal(env, columns);
    const screen = new StatusScreen(context);
    screen.show({ is: "forwarding", since: SINCE });
    screen.context.stderr("line\n");
    screen.close();
    assert.deepEqual(writes, ["line\n"]);
  });
}

Deno.test("without a status line the first message is passed on at once, and those within the next 20 ms are one write", async () => {
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
