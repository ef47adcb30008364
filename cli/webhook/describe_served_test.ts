import assert from "node:assert/strict";
import type { ServedConfiguration } from "../../k8s/webhook/hook_configuration.ts";
import { describeServed } from "./describe_served.ts";

const rule = (apiGroups: string[], resources: string[], operations: string[]) => ({
  apiGroups,
  apiVersions: ["v1"],
  resources,
  operations,
});

function served(
  rules: unknown[],
  originals: string[] | undefined,
  { kind = "Mutating", path = "/mutate-v1-pod" } = {},
): ServedConfiguration {
  const webhook = { name: "mpod.kb.io", rules, clientConfig: { service: { namespace: "n", name: "s", path } } };
  const configuration = { kind: `${kind}WebhookConfiguration`, metadata: { name: "a" }, webhooks: [webhook] };
  return {
    configuration,
    ...(originals && { original: { webhooks: originals.map((name) => ({ name })) } }),
  } as unknown as ServedConfiguration;
}

const PODS = [rule([""], ["pods"], ["CREATE", "UPDATE"])];
const HOW = { url: "https://localhost:9443", filter: "in dev-*", shadow: false };

Deno.test("each webhook is a line with its objects, filter, program, and who else answers", () => {
  const line = (one: ServedConfiguration, how = HOW) => describeServed(one, how)[0];
  const start = "mutate pods CREATE,UPDATE in dev-* by mpod.kb.io -> https://localhost:9443/mutate-v1-pod";
  assert.equal(line(served(PODS, ["mpod.kb.io"])), `${start} (the original keeps all others)`);
  assert.equal(line(served(PODS, ["mpod.kb.io"]), { ...HOW, shadow: true }), `${start} (the original answers too)`);
  assert.equal(line(served(PODS, ["other"])), `${start} (nobody else answers it)`);
  assert.equal(line(served(PODS, undefined)), `${start} (nobody else answers it)`);
  assert.equal(
    line(served(PODS, ["mpod.kb.io"], { kind: "Validating", path: "/\x1b[2J" }), { ...HOW, filter: "" }),
    "validate pods CREATE,UPDATE by mpod.kb.io -> https://localhost:9443/\\x1b[2J (the original answers none)",
  );
});

Deno.test("rules with the same operations are joined, and long lists are cut", () => {
  const rules = [
    rule(["apps"], ["deployments", "statefulsets"], ["CREATE"]),
    rule([""], ["pods"], ["CREATE"]),
    rule(["", "apps"], ["*/*"], ["DELETE"]),
    rule([""], ["a", "b", "c", "d", "e", "f", "g"], ["*"]),
  ];
  assert.equal(
    describeServed(served(rules, undefined), { ...HOW, filter: "" })[0]?.replace(/ by .*/, ""),
    "mutate deployments.apps,statefulsets.apps,pods CREATE; */* DELETE; a,b,c,d,e and 2 more *",
  );
});
