import assert from "node:assert/strict";
import { leftSessions, orphans, type OwnedObject } from "./leftovers.ts";
import type { FoundSession } from "./find_sessions.ts";
import type { SessionOwner } from "./session_owner.ts";

const ME = { who: "ann", from: "laptop", now: new Date("2026-01-01T00:10:00Z") };
const AWAY = { is: "away", since: "2026-01-01T00:09:50Z" } as const;
const SEEN_LATELY = "2026-01-01T00:09:45Z";
const SEEN_LONG_AGO = "2026-01-01T00:05:00Z";

function session(more: Partial<Omit<FoundSession, "owner">> = {}, owner: Partial<SessionOwner> = {}): FoundSession {
  return {
    namespace: "dev",
    owner: {
      name: "web-kurun-bcdfg",
      uid: "job-1",
      who: "ann",
      from: "laptop",
      since: "",
      until: undefined,
      seen: SEEN_LATELY,
      upstream: "",
      service: "web",
      ports: "",
      plan: "",
      flags: "",
      ...owner,
    },
    created: "",
    deleted: false,
    ending: false,
    presence: AWAY,
    ...more,
  };
}

function isLeft(more: Parameters<typeof session>[0], owner?: Partial<SessionOwner>): boolean {
  return leftSessions([session(more, owner)], ME).length > 0;
}

Deno.test("the user's own session without a client is a leftover, under its Service's name", () => {
  assert.deepEqual(leftSessions([session()], ME), [{
    kind: "session",
    namespace: "dev",
    name: "web",
    uid: "job-1",
    path: "/apis/batch/v1/namespaces/dev/jobs/web-kurun-bcdfg",
    why: AWAY,
  }]);
});

Deno.test("a session whose client is or may be there is not a leftover, nor is one that is being deleted", () => {
  assert.equal(isLeft({ presence: { is: "connected", since: "" } }), false);
  assert.equal(isLeft({ presence: { is: "unknown", seen: SEEN_LATELY } }), false);
  assert.equal(isLeft({ deleted: true, ending: true }), false);
});

Deno.test("another user's session without a client is a leftover once its client is overdue: the network may be down for a moment", () => {
  assert.equal(isLeft({}, { who: "bob" }), false);
  assert.equal(isLeft({}, { from: "desk" }), false);
  assert.equal(isLeft({}, { who: "bob", seen: SEEN_LONG_AGO }), true);
});

Deno.test("a session that has ended is a leftover, whoever had it", () => {
  assert.equal(isLeft({ ending: true, presence: { is: "unknown", seen: SEEN_LATELY } }, { who: "bob" }), true);
});

function object(more: Partial<OwnedObject["metadata"]> = {}): OwnedObject {
  return {
    kind: "Secret",
    metadata: {
      name: "web-kurun-bcdfg",
      namespace: "dev",
      uid: "secret-1",
      labels: { "app.kubernetes.io/managed-by": "kurun", "kurun.dev/session": "web-kurun-bcdfg" },
      ownerReferences: [{ apiVersion: "batch/v1", kind: "Job", name: "web-kurun-bcdfg", uid: "job-1" }],
      ...more,
    },
  };
}

Deno.test("an object whose Job is gone is an orphan, even if another Job has its name by now", () => {
  const orphan = {
    kind: "secret",
    namespace: "dev",
    name: "web-kurun-bcdfg",
    uid: "secret-1",
    path: "/api/v1/namespaces/dev/secrets/web-kurun-bcdfg",
    why: "orphan",
  };
  assert.deepEqual(orphans([object()], []), [orphan]);
  assert.deepEqual(orphans([object()], [session({}, { uid: "job-2" })]), [orphan]);
});

Deno.test("an object without an owner is an orphan if no session of its namespace has its name", () => {
  assert.equal(orphans([object({ ownerReferences: [] })], [session({ namespace: "prod" })]).length, 1);
  assert.equal(orphans([object({ ownerReferences: [] })], [session()]).length, 0);
});

Deno.test("objects of a session, objects being deleted and objects without kurun's labels are not orphans", () => {
  assert.deepEqual(orphans([object()], [session()]), []);
  assert.deepEqual(orphans([object({ deletionTimestamp: "2026-01-01T00:00:00Z" })], []), []);
  assert.deepEqual(orphans([object({ labels: { "kurun.dev/session": "web-kurun-bcdfg" } })], []), []);
  assert.deepEqual(orphans([object({ labels: { "app.kubernetes.io/managed-by": "kurun" } })], []), []);
  assert.deepEqual(orphans([object({ labels: { "app.kubernetes.io/managed-by": "Helm", "kurun.dev/session": "a" } })], []), []);
});
