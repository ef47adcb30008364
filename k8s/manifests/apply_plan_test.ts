import assert from "node:assert/strict";
import { duplicateObjects, inOrder, planObjects, type SourcedObject } from "./apply_plan.ts";
import { type ApiResource, ApiResources, kindsOfDefinition, readAggregated } from "./discovery.ts";
import { readObjects } from "./manifest_objects.ts";
import { readManifest } from "./manifest_text.ts";

const kind = (group: string, kind: string, plural: string, namespaced = true): ApiResource => ({
  group,
  version: "v1",
  kind,
  plural,
  namespaced,
});
const CLUSTER = new ApiResources([
  kind("", "ConfigMap", "configmaps"),
  kind("", "Namespace", "namespaces", false),
  kind("apps", "Deployment", "deployments"),
  kind("apiextensions.k8s.io", "CustomResourceDefinition", "customresourcedefinitions", false),
], ["metrics.k8s.io"]);
const HERE = { namespace: "shop", enforced: false };

function objects(text: string): SourcedObject[] {
  return readObjects(readManifest(text)).objects.map((object) => ({ ...object, file: "a.yaml" }));
}

const named = (apiVersion: string, kind: string, name: string, more = "") =>
  `{apiVersion: ${apiVersion}, kind: ${kind}, metadata: {name: ${name}${more}}}\n`;
const DEFINITION = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: crons.example.com}
spec:
  group: example.com
  names: {kind: Cron, plural: crons}
  scope: Cluster
  versions: [{name: v1, served: true}, {name: v0, served: false}]
`;

Deno.test("an object's kind decides its path; its namespace is its own, or else the user's choice", () => {
  const { planned, problems } = planObjects(
    objects(
      [named("v1", "ConfigMap", "a"), named("apps/v1", "Deployment", "b", ", namespace: other"), named("v1", "Namespace", "c")].join(
        "---\n",
      ),
    ),
    CLUSTER,
    HERE,
  );
  assert.deepEqual(problems, []);
  assert.deepEqual(planned.map(({ path }) => path), [
    "/api/v1/namespaces/shop/configmaps/a",
    "/apis/apps/v1/namespaces/other/deployments/b",
    "/api/v1/namespaces/c",
  ]);
  assert.deepEqual(planned.map(({ body }) => body.metadata.namespace), ["shop", "other", undefined]);
});

Deno.test("a namespace that contradicts -n is reported with its place", () => {
  const { problems } = planObjects(objects(`# first\n${named("v1", "ConfigMap", "a", ", namespace: other")}`), CLUSTER, {
    namespace: "shop",
    enforced: true,
  });
  assert.deepEqual(problems, [
    { file: "a.yaml", line: 2, column: 1, what: "ConfigMap a is in namespace other, but -n says shop: remove one of them" },
  ]);
});

Deno.test("a kind that a definition among the objects adds is known, and its objects come after the definition", () => {
  const { planned, problems } = planObjects(
    objects([named("example.com/v1", "Cron", "x"), DEFINITION, named("v1", "Namespace", "ns")].join("---\n")),
    CLUSTER,
    HERE,
  );
  assert.deepEqual(problems, []);
  const { first, rest } = inOrder(planned);
  assert.deepEqual([...first, ...rest].map(({ path }) => path), [
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/crons.example.com",
    "/api/v1/namespaces/ns",
    "/apis/example.com/v1/crons/x",
  ]);
  assert.deepEqual(kindsOfDefinition(objects(DEFINITION)[0]!.body).map(({ version }) => version), ["v1"]);
});

Deno.test("an unknown kind is reported with the reason", () => {
  const text = [
    named("example.com/v1", "Cron", "x"),
    named("apps/v1beta1", "Deployment", "w"),
    named("metrics.k8s.io/v1", "PodMetrics", "z"),
  ].join("---\n");
  assert.deepEqual(planObjects(objects(text), CLUSTER, HERE).problems.map(({ line, what }) => `${line}: ${what}`), [
    "1: the cluster has no Cron in example.com/v1: its CustomResourceDefinition is neither in the cluster nor in these files",
    "3: the cluster has no Deployment in apps/v1beta1, only in apps/v1",
    "5: the cluster has no PodMetrics in metrics.k8s.io/v1: the API server of metrics.k8s.io does not answer",
  ]);
});

Deno.test("an object that occurs twice is reported, whatever the versions", () => {
  const twice = objects(
    [named("v1", "ConfigMap", "a"), named("v1", "ConfigMap", "a", ", namespace: shop"), named("v1", "ConfigMap", "a", ", namespace: b")]
      .join("---\n"),
  );
  assert.deepEqual(duplicateObjects(twice, "shop").map(({ line, what }) => `${line}: ${what}`), [
    "3: ConfigMap a occurs twice; the first is at a.yaml:1",
  ]);
});

Deno.test("aggregated discovery is read, including groups that do not answer; an older answer is not", () => {
  const resources = [
    { resource: "deployments", scope: "Namespaced", responseKind: { group: "apps", version: "v1", kind: "Deployment" } },
    { resource: "odd", scope: "Cluster" },
  ];
  const items = [
    { metadata: { name: "apps" }, versions: [{ version: "v1", freshness: "Current", resources }] },
    { metadata: { name: "gone.example.com" }, versions: [{ version: "v1", freshness: "Stale" }] },
  ];
  assert.deepEqual(readAggregated({ kind: "APIGroupDiscoveryList", items }), {
    resources: [kind("apps", "Deployment", "deployments")],
    silent: ["gone.example.com"],
  });
  assert.equal(readAggregated({ kind: "APIGroupList", groups: [] }), undefined);
});
