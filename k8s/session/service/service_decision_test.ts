import assert from "node:assert/strict";
import type { EndpointSlice, Job, Service } from "../../api/kubernetes_objects.ts";
import { Annotation } from "../objects/session_plan.ts";
import type { Presence } from "../owner/client_presence.ts";
import { sessionOwner } from "../owner/session_owner.ts";
import type { FoundServices } from "./found_services.ts";
import { decideOnService, decideOnSession, type Occupation } from "./service_decision.ts";

const WISH = { name: "hook", port: undefined };
const NOTHING: FoundServices = {
  service: undefined,
  control: undefined,
  all: [],
  jobs: new Map(),
  slices: [],
  maySlice: true,
  client: undefined,
  now: new Date("2026-01-01T00:01:00Z"),
};
const LABELS = { "app.kubernetes.io/managed-by": "kurun", "kurun.dev/session": "hook-kurun-bcdfg" };

function ours(name: string, more: Record<string, unknown> = {}): Service {
  const ownerReferences = [{ apiVersion: "batch/v1", kind: "Job", name: LABELS["kurun.dev/session"], uid: "job-1" }];
  return { metadata: { name, uid: "s", labels: LABELS, ownerReferences, ...more }, spec: { selector: LABELS } };
}

function foreign(spec: NonNullable<Service["spec"]> = { selector: { app: "hook" }, ports: [{ port: 443, targetPort: 9443 }] }): Service {
  return { metadata: { name: "hook", uid: "f" }, spec };
}

function behind(endpoints: EndpointSlice["endpoints"]): EndpointSlice[] {
  return [{ metadata: { name: "hook-x", uid: "e" }, addressType: "IPv4", endpoints }];
}

function job(more: Partial<Job> = {}, who = "ann"): ReadonlyMap<string, Job> {
  const annotations = { "kurun.dev/who": who, "kurun.dev/from": "laptop", "kurun.dev/since": "2026-01-01T00:00:00Z" };
  const name = LABELS["kurun.dev/session"];
  return new Map([[name, {
    metadata: { name, uid: "job-1", annotations },
    spec: { activeDeadlineSeconds: 120, template: {} },
    status: { startTime: "2026-01-01T00:00:00Z" },
    ...more,
  }]]);
}

Deno.test("if nothing is there, the Service is created", () => {
  assert.deepEqual(decideOnService(NOTHING, WISH), { do: "create" });
});

Deno.test("a session's Service is asked about, its own or joined; a joined one with its selector and ports", () => {
  const found = { ...NOTHING, control: ours("hook-kurun"), jobs: job() };
  const joined = { families: ["IPv4"], headless: false };
  const join = { joined, ports: [{ port: 443, targetPort: 9443 }], unserved: [], siblings: [] };
  const expected = { do: "ask", job: [...job().values()][0], whole: true };
  assert.deepEqual(decideOnService({ ...found, service: ours("hook") }, WISH), { ...expected, join: undefined });
  assert.deepEqual(decideOnService({ ...found, service: foreign() }, WISH), { ...expected, join });
});

Deno.test("a Service that could not be used without the session is refused before the session is removed", () => {
  const found = { ...NOTHING, control: ours("hook-kurun"), jobs: job() };
  const ports = [{ port: 443, targetPort: 9443 }];
  for (
    const [is, spec] of Object.entries<NonNullable<Service["spec"]>>({
      "external-name": { type: "ExternalName", externalName: "elsewhere.example" },
      "no-selector": { ports },
      "orphan": { selector: LABELS, ports },
      "no-tcp": { selector: { app: "hook" }, ports: [{ port: 53, protocol: "UDP" }] },
      "no-such-port": { selector: { app: "hook" }, ports: [{ port: 80 }] },
    })
  ) {
    const decision = decideOnService({ ...found, service: foreign(spec) }, { ...WISH, port: 443 });
    assert.equal(decision.do === "refuse" && decision.refusal.is, is);
  }
});

Deno.test("a session next to other Pods can be resumed, but is not replaced", () => {
  const endpoints = ["hook-kurun-bcdfg-7d4b9c-abcde", "hook-original"].map((name) => ({ addresses: ["10.0.0.1"], targetRef: { name } }));
  const decision = decideOnService(
    { ...NOTHING, control: ours("hook-kurun"), jobs: job(), service: foreign(), slices: behind(endpoints) },
    WISH,
  );
  assert.deepEqual(decision.do === "ask" && decision.live, { is: "live", pods: ["hook-original"], selector: { app: "hook" } });
});

Deno.test("a session without one of its Services is not whole", () => {
  for (const found of [{ control: ours("hook-kurun") }, { service: ours("hook") }]) {
    const decision = decideOnService({ ...NOTHING, ...found, jobs: job() }, WISH);
    assert.equal(decision.do === "ask" && decision.whole, false);
  }
});

Deno.test("a session's Service has the name that its Job says, unless that is no name", () => {
  const service = (annotation: string) => {
    const metadata = { name: "hook-kurun-bcdfg", uid: "job-1", annotations: { "kurun.dev/service": annotation } };
    return sessionOwner({ metadata } as Job).service;
  };
  assert.equal(service("web"), "web");
  for (const text of ["", "a b", "a/../b", "a\nb", "a\r\n\r\nDELETE /", "$(id)", "-a", "A"]) assert.equal(service(text), "hook");
});

Deno.test("what a session's Job says stays on one line", () => {
  const breaks = ["\n", "\r\n", "\x85", "\u2028", "\u2029", "\x0b", "\x1b[2J\n"];
  for (const text of breaks) {
    const annotations = Object.fromEntries(Object.values(Annotation).map((key) => [key, `a${text}b`]));
    const owner = sessionOwner({ metadata: { name: "hook-kurun-bcdfg", uid: "job-1", annotations } } as Job);
    for (const shown of Object.values(owner)) assert.doesNotMatch(shown ?? "", /[\p{Cc}\p{Zl}\p{Zp}]/u);
    assert.match(owner.who, /^a .*b$/);
  }
});

Deno.test("a session's Job says whose it is, until when, and when its client was last seen", () => {
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
    flags: "",
    serves: undefined,
    filter: undefined,
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
    "is marked for deletion": { service: ours("hook", { deletionTimestamp: "2026-01-01T00:00:00Z" }), jobs: job() },
    "has an owner that is gone": { service: ours("hook") },
    "has an owner of another uid": { service: ours("hook"), jobs: job({ metadata: { name: "hook-kurun-bcdfg", uid: "job-2" } }) },
    "has an owner that is ending": {
      service: ours("hook"),
      jobs: job({ status: { conditions: [{ type: "FailureTarget", status: "True" }] } }),
    },
    "is another's and is marked for deletion": {
      service: { ...foreign(), metadata: { name: "hook", uid: "f", deletionTimestamp: "2026-01-01T00:00:00Z" } },
    },
  })
) {
  Deno.test(`a Service that ${what} is not adopted: the start waits for its end`, () => {
    assert.deepEqual(decideOnService({ ...NOTHING, ...found }, WISH), { do: "wait", going: ["service/hook"] });
  });
}

Deno.test("a Service of kurun without an owner is refused: nothing would ever remove it", () => {
  const decision = decideOnService({ ...NOTHING, service: ours("hook", { ownerReferences: [] }) }, WISH);
  assert.deepEqual(decision, { do: "refuse", refusal: { is: "orphan", session: "hook-kurun-bcdfg" } });
});

Deno.test("a Service without Pods is joined, and of a requested port only that is served", () => {
  const ports = [{ name: "a", port: 80 }, { name: "b", port: 443, targetPort: "webhook" }, { name: "c", port: 53, protocol: "UDP" }];
  const decision = decideOnService({ ...NOTHING, service: foreign({ selector: { app: "hook" }, ports }) }, { ...WISH, port: 443 });
  assert.deepEqual(decision, {
    do: "join",
    joined: { families: ["IPv4"], headless: false },
    ports: [{ name: "b", port: 443, targetPort: 8444, targetName: "webhook" }],
    unserved: ["53/UDP"],
    siblings: [],
  });
});

Deno.test("terminating Pods do not prevent joining; other Pods do, ready or not", () => {
  const endpoint = (name: string, conditions: Record<string, boolean>) => ({ addresses: ["10.0.0.1"], conditions, targetRef: { name } });
  const ending = endpoint("hook-1", { ready: false, terminating: true });
  const unready = endpoint("hook-2", { ready: false });
  assert.equal(decideOnService({ ...NOTHING, service: foreign(), slices: behind([ending]) }, WISH).do, "join");
  assert.deepEqual(decideOnService({ ...NOTHING, service: foreign(), slices: behind([ending, unready]) }, WISH), {
    do: "refuse",
    refusal: { is: "live", pods: ["hook-2"], selector: { app: "hook" } },
  });
});

Deno.test("a start waits for the Pod of a session that has ended", () => {
  const endpoints = [{ addresses: ["10.0.0.1"], targetRef: { name: "hook-kurun-bcdfg-7b7fcb59c7-hjtxf" } }];
  const decision = decideOnService({ ...NOTHING, service: foreign(), slices: behind(endpoints) }, WISH);
  assert.deepEqual(decision, { do: "wait", going: ["pod/hook-kurun-bcdfg-7b7fcb59c7-hjtxf"] });
});

/** A Service of the namespace, by name. */
function other(name: string, spec: NonNullable<Service["spec"]>, more: Partial<Service["metadata"]> = {}): Service {
  return { metadata: { name, uid: name, ...more }, spec };
}

Deno.test("a Service whose selector others share is joined by EndpointSlices, which leave the others alone, and they are named", () => {
  const service = foreign({ selector: { app: "hook", tier: "front" }, ports: [{ port: 443, targetPort: 9443 }], ipFamilies: ["IPv6"] });
  const all = [
    service,
    other("b", { selector: { app: "hook" } }),
    other("other", { selector: { app: "hook", tier: "back" } }),
    other("none", {}),
    other("empty", { selector: {} }),
    other("external", { type: "ExternalName", externalName: "example.com", selector: { app: "hook" } }),
    other("going", { selector: { app: "hook" } }, { deletionTimestamp: "2026-01-01T00:00:00Z" }),
  ];
  const joined = { families: ["IPv6"], headless: false };
  const ports = [{ port: 443, targetPort: 9443 }];
  const join = { do: "join", joined, ports, unserved: [], siblings: ["b"] };
  assert.deepEqual(decideOnService({ ...NOTHING, service, all }, WISH), join);
  assert.deepEqual(decideOnService({ ...NOTHING, service, all: undefined }, WISH), { ...join, siblings: [] });
});

Deno.test("without the right to EndpointSlices, a Service is joined by labels that no other Service selects, and is refused otherwise", () => {
  const labels = { app: "hook" };
  const service = foreign({ selector: labels, ports: [{ port: 443, targetPort: 9443 }] });
  const decide = (all: readonly Service[] | undefined) => decideOnService({ ...NOTHING, service, all, maySlice: false }, WISH);
  const alone = decide([service, other("b", { selector: { app: "other" } })]);
  assert.deepEqual(alone.do === "join" && alone.joined, { selector: labels });
  const refusal = { is: "shared", others: ["b"], labels, joins: true };
  assert.deepEqual(decide([service, other("b", { selector: labels })]), { do: "refuse", refusal });
  assert.deepEqual(decide(undefined), { do: "refuse", refusal: { ...refusal, others: [] } });
});

Deno.test("a label that the user gives the Pod must not be selected by another Service, whether a Service is created or joined", () => {
  const all = [other("b", { selector: { team: "a" } })];
  for (const service of [undefined, foreign()]) {
    assert.notEqual(decideOnService({ ...NOTHING, service, all }, WISH).do, "refuse");
    assert.deepEqual(decideOnService({ ...NOTHING, service, all }, { ...WISH, podLabels: { team: "a" } }), {
      do: "refuse",
      refusal: { is: "shared", others: ["b"], labels: { team: "a" }, joins: false },
    });
  }
});

const AWAY: Presence = { is: "away", since: "2026-01-01T00:00:00Z" };
const HERE: Presence = { is: "connected", since: "2026-01-01T00:00:00Z" };
const UNKNOWN: Presence = { is: "unknown", seen: "2026-01-01T00:00:00Z" };
const FREE: Occupation = { mine: true, presence: AWAY, samePlan: true, takeover: false };

const OTHER_PLAN = { do: "remove", why: "other-plan" };

for (
  const [what, occupation, decision] of [
    ["my session without a client is adopted", {}, { do: "adopt" }],
    ["my session without a client is removed if it was made with other flags", { samePlan: false }, OTHER_PLAN],
    ["my session with a client is refused", { presence: HERE }, { do: "refuse" }],
    ["my session is refused if its client may be alive", { presence: UNKNOWN }, { do: "refuse" }],
    ["another user's session with a client is refused", { mine: false, presence: HERE }, { do: "refuse" }],
    ["another user's session without a client is refused", { mine: false }, { do: "refuse" }],
    ["with --takeover my session with a client is adopted", { presence: HERE, takeover: true }, { do: "adopt" }],
    ["with --takeover another user's session with a client is adopted", { mine: false, presence: HERE, takeover: true }, { do: "adopt" }],
    ["with --takeover another user's session without a client is adopted", { mine: false, takeover: true }, { do: "adopt" }],
    ["with --takeover a session made with other flags is removed", { presence: HERE, takeover: true, samePlan: false }, OTHER_PLAN],
    ["with --takeover a session is removed if its client may be about to connect: that client would take it back", {
      presence: UNKNOWN,
      takeover: true,
    }, { do: "remove", why: "client-unknown" }],
  ] as [string, Partial<Occupation>, unknown][]
) {
  Deno.test(what, () => assert.deepEqual(decideOnSession({ ...FREE, ...occupation }), decision));
}
