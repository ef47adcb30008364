import assert from "node:assert/strict";
import { annotated, planDigest } from "./session_manifests.ts";
import type { ForwardPlan } from "./session_plan.ts";

const PLAN: ForwardPlan = {
  name: "web-kurun-bcdfg",
  namespace: "shop",
  service: "web",
  ports: [{ name: "http", port: 80, targetPort: 8444 }, { name: "admin", port: 81, targetPort: 8445 }],
  image: "server:1",
  ttlSeconds: 120,
  holdMs: 3000,
  annotations: { "kurun.dev/who": "ann" },
};

Deno.test("plans that differ only in name and annotations have the same digest", () => {
  const other = { ...PLAN, name: "web-kurun-zzzzz", annotations: { "kurun.dev/who": "bob", "kurun.dev/since": "now" } };
  assert.equal(planDigest(other), planDigest(PLAN));
  assert.equal(planDigest(annotated(PLAN)), planDigest(PLAN));
});

Deno.test("a log of connections does not make another plan", () => {
  assert.equal(planDigest({ ...PLAN, verbose: true }), planDigest(PLAN));
});

Deno.test("the order of a selector's labels does not make another plan", () => {
  const digest = (selector: Record<string, string>) => planDigest({ ...PLAN, joined: { selector } });
  assert.equal(digest({ app: "web", tier: "front" }), digest({ tier: "front", app: "web" }));
});

for (
  const [what, change] of Object.entries<Partial<ForwardPlan>>({
    "another port": { ports: [{ name: "http", port: 8080, targetPort: 8444 }] },
    "another target port": { ports: [{ name: "http", port: 80, targetPort: 9000 }] },
    "a protocol of its callers": { ports: [{ ...PLAN.ports[0]!, appProtocol: "kubernetes.io/h2c" }, PLAN.ports[1]!] },
    "another image": { image: "server:2" },
    "a certificate": { tls: { secret: "web-tls", alpn: ["http/1.1"] } },
    "another ttl": { ttlSeconds: 60 },
    "another hold": { holdMs: 1000 },
    "a joined Service": { joined: { selector: { app: "web" } } },
    "a label of the Pod": { podLabels: { team: "a" } },
    "a pull secret": { imagePullSecret: "pull" },
  })
) {
  Deno.test(`${what} makes another plan`, () => assert.notEqual(planDigest({ ...PLAN, ...change }), planDigest(PLAN)));
}

Deno.test("a Job's annotations name its Service, the Service's ports and the plan's digest", () => {
  assert.deepEqual(annotated(PLAN).annotations, {
    "kurun.dev/who": "ann",
    "kurun.dev/service": "web",
    "kurun.dev/ports": "80,81",
    "kurun.dev/plan": planDigest(PLAN),
  });
});
