import assert from "node:assert/strict";
import { decideOnService, type FoundServices, type ServiceObject } from "./existing_service.ts";
import { type SessionJob, sessionOwner } from "../owner/session_owner.ts";

const WISH = { name: "hook", port: undefined };
const NOTHING: FoundServices = {
  service: undefined,
  control: undefined,
  jobs: new Map(),
  endpoints: [],
  client: undefined,
  now: new Date("2026-01-01T00:01:00Z"),
};
const LABELS = { "app.kubernetes.io/managed-by": "kurun", "kurun.dev/session": "hook-kurun-bcdfg" };

function ours(name: string, more: Record<string, unknown> = {}): ServiceObject {
  const ownerReferences = [{ kind: "Job", name: LABELS["kurun.dev/session"], uid: "job-1" }];
  return { metadata: { name, uid: "s", labels: LABELS, ownerReferences, ...more }, spec: { selector: LABELS } };
}

function foreign(spec: ServiceObject["spec"] = { selector: { app: "hook" }, ports: [{ port: 443, targetPort: 9443 }] }): ServiceObject {
  return { metadata: { name: "hook", uid: "f" }, spec };
}

function job(more: Partial<SessionJob> = {}, who = "ann"): ReadonlyMap<string, SessionJob> {
  const annotations = { "kurun.dev/who": who, "kurun.dev/from": "laptop", "kurun.dev/since": "2026-01-01T00:00:00Z" };
  const name = LABELS["kurun.dev/session"];
  return new Map([[name, {
    metadata: { name, uid: "job-1", annotations },
    spec: { activeDeadlineSeconds: 120 },
    status: { startTime: "2026-01-01T00:00:00Z" },
    ...more,
  }]]);
}

Deno.test("where nothing is, the Service is made", () => {
  assert.deepEqual(decideOnService(NOTHING, WISH), { do: "create" });
});

Deno.test("a Service of a session is asked about, alone or joined; a joined one with the selector and ports that its Pod has", () => {
  const found = { ...NOTHING, control: ours("hook-kurun"), jobs: job() };
  const join = { selector: { app: "hook" }, ports: [{ port: 443, targetPort: 9443 }], unserved: [] };
  const expected = { do: "ask", job: [...job().values()][0], whole: true };
  assert.deepEqual(decideOnService({ ...found, service: ours("hook") }, WISH), { ...expected, join: undefined });
  assert.deepEqual(decideOnService({ ...found, service: foreign() }, WISH), { ...expected, join });
});

Deno.test("a session of which a Service is missing is not whole", () => {
  for (const found of [{ control: ours("hook-kurun") }, { service: ours("hook") }]) {
    const decision = decideOnService({ ...NOTHING, ...found, jobs: job() }, WISH);
    assert.equal(decision.do === "ask" && decision.whole, false);
  }
});

Deno.test("a session's Job says whose it is, until when, and when its client was seen", () => {
  const [found] = [...job({}, "bob").values()];
  assert.deepEqual(sessionOwner(found!), {
    name: "hook-kurun-bcdfg",
    uid: "job-1",
    who: "bob",
    from: "laptop",
    since: "2026-01-01T00:00:00Z",
    until: "2026-01-01T00:02:00.000Z",
    seen: undefined,
    upstream: "",
    service: "hook",
    ports: "",
    plan: "",
  });
  const { metadata } = found!;
  const created = { ...found!, metadata: { ...metadata, creationTimestamp: "2026-01-01T00:00:00Z" } };
  assert.equal(sessionOwner(created).seen, "2026-01-01T00:00:00Z");
  const annotations = { ...metadata.annotations, "kurun.dev/seen": "2026-01-01T00:00:30.000Z", "kurun.dev/service": "a-kurun-b" };
  const seen = sessionOwner({ ...created, metadata: { ...created.metadata, annotations } });
  assert.deepEqual([seen.seen, seen.service], ["2026-01-01T00:00:30.000Z", "a-kurun-b"]);
});

for (
  const [what, found] of Object.entries<Partial<FoundServices>>({
    "carries a deletion mark": { service: ours("hook", { deletionTimestamp: "2026-01-01T00:00:00Z" }), jobs: job() },
    "has an owner that has gone": { service: ours("hook") },
    "has an owner of another uid": { service: ours("hook"), jobs: job({ metadata: { name: "hook-kurun-bcdfg", uid: "job-2" } }) },
    "has an owner that is ending": {
      service: ours("hook"),
      jobs: job({ status: { conditions: [{ type: "FailureTarget", status: "True" }] } }),
    },
    "is somebody's and carries a deletion mark": {
      service: { ...foreign(), metadata: { name: "hook", uid: "f", deletionTimestamp: "2026-01-01T00:00:00Z" } },
    },
  })
) {
  Deno.test(`a Service that ${what} is never adopted: it is waited for`, () => {
    assert.deepEqual(decideOnService({ ...NOTHING, ...found }, WISH), { do: "wait", going: ["service/hook"] });
  });
}

Deno.test("a Service of ours without an owner is refused: nothing would ever remove it", () => {
  const decision = decideOnService({ ...NOTHING, service: ours("hook", { ownerReferences: [] }) }, WISH);
  assert.deepEqual(decision, { do: "refuse", refusal: { is: "orphan", session: "hook-kurun-bcdfg" } });
});

Deno.test("a Service without Pods is joined, the port that was asked for first", () => {
  const ports = [{ name: "a", port: 80 }, { name: "b", port: 443, targetPort: "webhook" }, { name: "c", port: 53, protocol: "UDP" }];
  const decision = decideOnService({ ...NOTHING, service: foreign({ selector: { app: "hook" }, ports }) }, { ...WISH, port: 443 });
  assert.deepEqual(decision, {
    do: "join",
    selector: { app: "hook" },
    ports: [{ name: "b", port: 443, targetPort: 8444, targetName: "webhook" }, { name: "a", port: 80, targetPort: 80 }],
    unserved: ["53/UDP"],
  });
});

Deno.test("Pods that are ending do not stand in the way; others do, ready or not", () => {
  const endpoint = (name: string, conditions: Record<string, boolean>) => ({ addresses: ["10.0.0.1"], conditions, targetRef: { name } });
  const ending = endpoint("hook-1", { ready: false, terminating: true });
  const unready = endpoint("hook-2", { ready: false });
  assert.equal(decideOnService({ ...NOTHING, service: foreign(), endpoints: [ending] }, WISH).do, "join");
  assert.deepEqual(decideOnService({ ...NOTHING, service: foreign(), endpoints: [ending, unready] }, WISH), {
    do: "refuse",
    refusal: { is: "live", pods: ["hook-2"], selector: { app: "hook" } },
  });
});

Deno.test("the Pod of a session that has ended is waited for", () => {
  const endpoints = [{ addresses: ["10.0.0.1"], targetRef: { name: "hook-kurun-bcdfg-7b7fcb59c7-hjtxf" } }];
  const decision = decideOnService({ ...NOTHING, service: foreign(), endpoints }, WISH);
  assert.deepEqual(decision, { do: "wait", going: ["pod/hook-kurun-bcdfg-7b7fcb59c7-hjtxf"] });
});
