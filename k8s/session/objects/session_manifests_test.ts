import assert from "node:assert/strict";
import type { NewDeployment, NewSecret } from "../../api/kubernetes_objects.ts";
import { FORWARD_PLAN } from "../../../tests/forward_plan.ts";
import { annotated, differingFlags, ownedObjects, planDigest } from "./session_manifests.ts";
import type { ForwardPlan } from "./session_plan.ts";

const PLAN: ForwardPlan = {
  ...FORWARD_PLAN,
  ports: [{ name: "http", port: 80, targetPort: 8444 }, { name: "admin", port: 81, targetPort: 8445 }],
  annotations: { "kurun.dev/who": "ann" },
};

Deno.test("plans that differ only in name and annotations have the same digest", () => {
  const other = { ...PLAN, name: "web-kurun-zzzzz", annotations: { "kurun.dev/who": "bob", "kurun.dev/since": "now" } };
  assert.equal(planDigest(other), planDigest(PLAN));
  assert.equal(planDigest(annotated(PLAN)), planDigest(PLAN));
});

Deno.test("another server makes another plan", () => {
  const [one, other] = [{ ...PLAN, server: "// 1" }, { ...PLAN, server: "// 2" }];
  assert.notEqual(planDigest(one), planDigest(other));
});

Deno.test("a log of connections does not make another plan", () => {
  assert.equal(planDigest({ ...PLAN, verbose: true }), planDigest(PLAN));
});

Deno.test("how its first callers come does not make another plan, and only the user's Service of an early one has a Pod that is not ready", () => {
  const early = { ...PLAN, early: true };
  assert.equal(planDigest(early), planDigest(PLAN));
  const published = (plan: ForwardPlan) =>
    ownedObjects(plan, "1", { key: new Uint8Array(), cert: "", certKey: "" }).flat(2)
      .flatMap((object) => object.kind === "Service" && object.spec?.publishNotReadyAddresses ? [object.metadata.name] : []);
  assert.deepEqual(published(PLAN), [`${PLAN.service}-kurun`]);
  assert.deepEqual(published(early), [`${PLAN.service}-kurun`, PLAN.service]);
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
    "a server that it brings": { server: "// 1" },
    "a server in the Secret": { server: "// 1", serverIn: "Secret" },
    "a user that the cluster chooses": { runAsUser: 65532 },
    "a certificate": { tls: { secret: "web-tls", alpn: ["http/1.1"] } },
    "another ttl": { ttlSeconds: 60 },
    "another hold": { holdMs: 1000 },
    "a Service joined by labels": { joined: { selector: { app: "web" } } },
    "a Service joined by EndpointSlices": { joined: { families: ["IPv4"], headless: false } },
    "a label of the Pod": { podLabels: { team: "a" } },
    "a pull secret": { imagePullSecret: "pull" },
  })
) {
  Deno.test(`${what} makes another plan`, () => assert.notEqual(planDigest({ ...PLAN, ...change }), planDigest(PLAN)));
}

Deno.test("a Job's annotations name its Service, the Service's ports and the plan's digest", () => {
  const { "kurun.dev/flags": flags, ...annotations } = annotated(PLAN).annotations;
  assert.match(flags!, /^(--[a-z-]+|the URL's scheme):\w{16}(,(--[a-z-]+|the URL's scheme):\w{16})*$/);
  assert.deepEqual(annotations, {
    "kurun.dev/who": "ann",
    "kurun.dev/service": "web",
    "kurun.dev/ports": "80,81",
    "kurun.dev/plan": planDigest(PLAN),
  });
});

for (
  const [differing, change] of [
    [[], {}],
    [[], { name: "other", verbose: true, annotations: { "kurun.dev/who": "bob" } }],
    [["--serviceport"], { ports: [{ ...PLAN.ports[0]!, port: 8080 }, PLAN.ports[1]!] }],
    [["--pod-port"], { ports: [{ ...PLAN.ports[0]!, targetPort: 9000 }, PLAN.ports[1]!] }],
    [["--app-protocol"], { ports: [{ ...PLAN.ports[0]!, appProtocol: "kubernetes.io/h2c" }, PLAN.ports[1]!] }],
    [["--tlssecret"], { tls: { secret: "web-tls", alpn: ["http/1.1"] } }],
    [["--server-image"], { image: "server:2" }],
    [["--label", "--server-overrides"], { podLabels: { team: "a" }, podPatch: { priorityClassName: "high" } }],
    [["--image-pull-secret"], { imagePullSecret: "pull" }],
    [["--ttl", "--hold", "--fallback"], { ttlSeconds: 60, holdMs: 1000, fallback: "allow" }],
  ] as [string[], Partial<ForwardPlan>][]
) {
  Deno.test(`of two plans these flags differ: ${differing.join(", ") || "none"}`, () => {
    const flags = (plan: ForwardPlan) => annotated(plan).annotations["kurun.dev/flags"]!;
    assert.deepEqual(differingFlags(flags(PLAN), flags({ ...PLAN, ...change })), differing);
    assert.deepEqual(differingFlags("", flags({ ...PLAN, ...change })), []);
  });
}

Deno.test("a certificate of the session's own is in a Secret that the Pod mounts, whatever the session is called", () => {
  const tls = { certPem: "certificate", keyPem: "secret key", alpn: ["http/1.1"] };
  for (const name of ["web-kurun-bcdfg", "web-kurun-zzzzz"]) {
    const objects = ownedObjects({ ...PLAN, name, tls }, "1", { key: new Uint8Array(), cert: "", certKey: "" });
    const secret = objects.flat(2).find((object) => object.kind === "Secret" && object.type === "kubernetes.io/tls");
    assert.equal(secret?.metadata.name, `${name}-tls`);
    assert.deepEqual(secret?.metadata.ownerReferences?.map(({ name }) => name), [name]);
    assert.deepEqual((secret as NewSecret).data, { "tls.crt": btoa(tls.certPem), "tls.key": btoa(tls.keyPem) });
    // What a Pod mounts is created before it.
    const deployment = objects[1]?.[1]?.[0] as NewDeployment;
    assert.ok(objects[1]?.[0]?.includes(secret as NewSecret));
    const mounted = deployment.spec?.template.spec?.volumes?.find(({ name }) => name === "tls");
    assert.equal(mounted?.secret?.secretName, `${name}-tls`);
  }
});

Deno.test("another certificate of the session's own makes another plan, and its key is not in the digest", () => {
  const withTls = (certPem: string, keyPem: string) => ({ ...PLAN, tls: { certPem, keyPem, alpn: [] } });
  assert.notEqual(planDigest(withTls("one", "key")), planDigest(withTls("other", "key")));
  assert.equal(planDigest(withTls("one", "key")), planDigest(withTls("one", "other key")));
});
