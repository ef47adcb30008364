import assert from "node:assert/strict";
import { FORWARD_PLAN } from "../../tests/forward_plan.ts";
import { copyConfiguration } from "./copy_configuration.ts";
import type { Hook, HookConfiguration, LiveHookConfiguration } from "./hook_configuration.ts";

const PLAN = { ...FORWARD_PLAN, annotations: { "kurun.dev/who": "ann", "kurun.dev/filter": '{"only":{}}' } };
const HOOK: Hook = {
  name: "mpod.kb.io",
  clientConfig: { service: { namespace: "system", name: "webhook-service", path: "/mutate-v1-pod" }, caBundle: "Cg==" },
  rules: [{ operations: ["CREATE"], apiGroups: [""], apiVersions: ["v1"], resources: ["pods"] }],
  failurePolicy: "Fail",
  matchPolicy: "Equivalent",
  reinvocationPolicy: "IfNeeded",
  objectSelector: { matchLabels: { a: "b" } },
  sideEffects: "None",
  timeoutSeconds: 5,
  admissionReviewVersions: ["v1"],
  matchConditions: [{ name: "theirs", expression: "true" }, { name: "other-kurun-zzzzz.kurun.dev", expression: "!(x)" }],
};
const CONFIGURATION: HookConfiguration = {
  apiVersion: "admissionregistration.k8s.io/v1",
  kind: "MutatingWebhookConfiguration",
  metadata: { name: "mutating" },
  webhooks: [HOOK, { ...HOOK, name: "url.kb.io", clientConfig: { url: "https://10.0.0.1:9443/by/url?x=1" } }],
};

Deno.test("a copy is at the session's Service, has 30 s, and is otherwise as what it is copied from", () => {
  const copy = copyConfiguration({ configuration: CONFIGURATION }, { plan: PLAN, caPem: "CA", mine: "mine()" });
  assert.deepEqual(copy.metadata, {
    name: "mutating--bcdfg",
    labels: { "app.kubernetes.io/managed-by": "kurun", "kurun.dev/session": "web-kurun-bcdfg" },
    annotations: {
      ...PLAN.annotations,
      "kurun.dev/namespace": "shop",
      "kurun.dev/serves": "MutatingWebhookConfiguration/mutating",
    },
  });
  const service = { namespace: "shop", name: "web", port: 443 };
  const matchConditions = [{ name: "theirs", expression: "true" }, { name: "web-kurun-bcdfg.kurun.dev", expression: "mine()" }];
  assert.deepEqual(copy.webhooks[0], {
    ...HOOK,
    clientConfig: { service: { ...service, path: "/mutate-v1-pod" }, caBundle: "Q0E=" },
    timeoutSeconds: 30,
    matchConditions,
  });
  assert.deepEqual(copy.webhooks[1]?.clientConfig, { service: { ...service, path: "/by/url" }, caBundle: "Q0E=" });
});

Deno.test("a copy sorts right behind the original in the cluster, whatever that is called, and flags change it", () => {
  const original = { ...CONFIGURATION, metadata: { name: "prefix-mutating", uid: "1" } } as LiveHookConfiguration;
  const options = { plan: PLAN, caPem: "", mine: "", failurePolicy: "Ignore", timeoutSeconds: 3 };
  const copy = copyConfiguration({ configuration: CONFIGURATION, original }, options);
  const names = ["prefix-mutating-b", "prefix-mutating.b", copy.metadata.name, "prefix-mutating", "prefix-mutating0"];
  assert.deepEqual(names.sort().slice(0, 2), ["prefix-mutating", "prefix-mutating--bcdfg"]);
  assert.deepEqual([copy.webhooks[0]?.failurePolicy, copy.webhooks[0]?.timeoutSeconds], ["Ignore", 3]);
  const long = { ...CONFIGURATION, metadata: { name: "a".repeat(253) } };
  assert.equal(copyConfiguration({ configuration: long }, options).metadata.name.length, 253);
});
