import assert from "node:assert/strict";
import { isOverdue, judgePresence, type Presence } from "./client_presence.ts";

const time = (seconds: number) => new Date(Date.UTC(2026, 0, 1) + seconds * 1000).toISOString();

/** The judgement at second 100 about a deadline that was moved at second `seen`. */
function judge(answer: { connected: boolean; since: number | null } | undefined, seen: number | undefined): Presence["is"] {
  const said = answer && { connected: answer.connected, since: answer.since === null ? null : time(answer.since) };
  return judgePresence(said, { seen: seen === undefined ? undefined : time(seen) }, new Date(time(100))).is;
}

Deno.test("a client is connected if the Pod says so, whatever the deadline says", () => {
  assert.equal(judge({ connected: true, since: 50 }, undefined), "connected");
  assert.equal(judge({ connected: true, since: 50 }, 1), "connected");
});

Deno.test("a client that was killed is away immediately, even right after it moved the deadline", () => {
  assert.equal(judge({ connected: false, since: 99 }, 98), "away");
  assert.equal(judge({ connected: false, since: 99 }, 99), "away");
});

Deno.test("a client that moved the deadline after its connection ended is alive", () => {
  assert.equal(judge({ connected: false, since: 70 }, 90), "unknown");
});

Deno.test("such a client has 40 s to return or to move the deadline again", () => {
  assert.equal(judge({ connected: false, since: 50 }, 61), "unknown");
  assert.equal(judge({ connected: false, since: 50 }, 60), "away");
});

Deno.test("before any client has connected, the deadline decides: a client that is starting is not away", () => {
  assert.equal(judge({ connected: false, since: null }, 95), "unknown");
  assert.equal(judge({ connected: false, since: null }, 30), "away");
});

Deno.test("if the Pod cannot be asked, the deadline decides", () => {
  assert.equal(judge(undefined, 95), "unknown");
  assert.equal(judge(undefined, 30), "away");
});

Deno.test("a session whose client was never seen is away if no client is connected to the Pod", () => {
  assert.equal(judge(undefined, undefined), "away");
  assert.equal(judge({ connected: false, since: 99 }, undefined), "away");
});

Deno.test("a judgement says since when", () => {
  const now = new Date(time(100));
  assert.deepEqual(judgePresence({ connected: true, since: time(50) }, { seen: time(90) }, now), { is: "connected", since: time(50) });
  assert.deepEqual(judgePresence({ connected: false, since: time(95) }, { seen: time(90) }, now), { is: "away", since: time(95) });
  assert.deepEqual(judgePresence(undefined, { seen: time(90) }, now), { is: "unknown", seen: time(90) });
});

Deno.test("a client that has not moved the deadline for 40 s is overdue", () => {
  assert.equal(isOverdue({ seen: time(61) }, new Date(time(100))), false);
  assert.equal(isOverdue({ seen: time(60) }, new Date(time(100))), true);
  assert.equal(isOverdue({ seen: undefined }, new Date(time(100))), true);
});
