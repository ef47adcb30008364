import assert from "node:assert/strict";
import { isOverdue, judgePresence, type Presence } from "./client_presence.ts";

const time = (seconds: number) => new Date(Date.UTC(2026, 0, 1) + seconds * 1000).toISOString();

/** The judgement at second 100, of a deadline that was moved at `seen`. */
function judge(answer: { connected: boolean; since: number | null } | undefined, seen: number | undefined): Presence["is"] {
  const said = answer && { connected: answer.connected, since: answer.since === null ? null : time(answer.since) };
  return judgePresence(said, { seen: seen === undefined ? undefined : time(seen) }, new Date(time(100))).is;
}

Deno.test("a client is there when the Pod says so, whatever the deadline says", () => {
  assert.equal(judge({ connected: true, since: 50 }, undefined), "connected");
  assert.equal(judge({ connected: true, since: 50 }, 1), "connected");
});

Deno.test("a client that was killed is away at once, also right after it moved the deadline", () => {
  assert.equal(judge({ connected: false, since: 99 }, 98), "away");
  assert.equal(judge({ connected: false, since: 99 }, 99), "away");
});

Deno.test("a deadline that was moved after the connection went is of a client that lives", () => {
  assert.equal(judge({ connected: false, since: 70 }, 90), "unknown");
});

Deno.test("such a client has 40 s to come back or to move the deadline again", () => {
  assert.equal(judge({ connected: false, since: 50 }, 61), "unknown");
  assert.equal(judge({ connected: false, since: 50 }, 60), "away");
});

Deno.test("before any client has connected the deadline tells: one that starts is not away", () => {
  assert.equal(judge({ connected: false, since: null }, 95), "unknown");
  assert.equal(judge({ connected: false, since: null }, 30), "away");
});

Deno.test("where the Pod cannot be asked the deadline tells", () => {
  assert.equal(judge(undefined, 95), "unknown");
  assert.equal(judge(undefined, 30), "away");
});

Deno.test("a session that never said when its client was there is away where the Pod knows of nobody", () => {
  assert.equal(judge(undefined, undefined), "away");
  assert.equal(judge({ connected: false, since: 99 }, undefined), "away");
});

Deno.test("a judgement says since when", () => {
  const now = new Date(time(100));
  assert.deepEqual(judgePresence({ connected: true, since: time(50) }, { seen: time(90) }, now), { is: "connected", since: time(50) });
  assert.deepEqual(judgePresence({ connected: false, since: time(95) }, { seen: time(90) }, now), { is: "away", since: time(95) });
  assert.deepEqual(judgePresence(undefined, { seen: time(90) }, now), { is: "unknown", seen: time(90) });
});

Deno.test("overdue is a client that has not moved its deadline for 40 s", () => {
  assert.equal(isOverdue({ seen: time(61) }, new Date(time(100))), false);
  assert.equal(isOverdue({ seen: time(60) }, new Date(time(100))), true);
  assert.equal(isOverdue({ seen: undefined }, new Date(time(100))), true);
});
