import assert from "node:assert/strict";
import { scriptedApi } from "../../tests/scripted_api.ts";
import { ScriptedServer } from "../../tests/scripted_server.ts";
import { applyObjects, type ApplyOutcome } from "./apply_objects.ts";
import { planObjects } from "./apply_plan.ts";
import { ApiResources } from "./discovery.ts";
import { readObjects } from "./manifest_objects.ts";
import { readManifest } from "./manifest_text.ts";

const KINDS = new ApiResources([
  { group: "", version: "v1", kind: "ConfigMap", plural: "configmaps", namespaced: true },
  { group: "", version: "v1", kind: "Namespace", plural: "namespaces", namespaced: false },
  {
    group: "apiextensions.k8s.io",
    version: "v1",
    kind: "CustomResourceDefinition",
    plural: "customresourcedefinitions",
    namespaced: false,
  },
]);
const DEFINITION = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: crons.a.example}
spec: {group: a.example, names: {kind: Cron, plural: crons}, scope: Cluster, versions: [{name: v1}]}
`;

const object = (kind: string, name: string, apiVersion = "v1") => `{apiVersion: ${apiVersion}, kind: ${kind}, metadata: {name: ${name}}}\n`;

/** Applies manifests to a server that answers as `answer` says, and closes the connection if there is no answer. */
async function apply(
  documents: string[],
  answer: (path: string, time: number) => [number, unknown] | undefined,
): Promise<{ outcome: ApplyOutcome; requests: string[] }> {
  const times = new Map<string, number>();
  using server = new ScriptedServer(({ method, target }, reply) => {
    const path = target.replace(/\?.*/, "");
    const time = (times.get(method + path) ?? 0) + 1;
    times.set(method + path, time);
    const found = answer(`${method} ${path}`, time);
    return found ? reply.json(...found) : reply.close();
  });
  using api = scriptedApi(server);
  const objects = readObjects(readManifest(documents.join("---\n"))).objects.map((object) => ({ ...object, file: "a.yaml" }));
  const { planned, problems } = planObjects(objects, KINDS, { namespace: "x", enforced: false });
  assert.deepEqual(problems, []);
  const options = {
    fieldManager: "kurun",
    force: false,
    dryRun: false,
    validation: "Strict",
    signal: new AbortController().signal,
  } as const;
  const outcome = await applyObjects(api, planned, options, { applied() {}, failed() {}, untriable() {} });
  return { outcome, requests: server.requests.map(({ method, target }) => `${method} ${target.replace(/\?.*/, "")}`) };
}

function summary({ applied, failed, untried }: ApplyOutcome): string[][] {
  return [[...applied.keys()], failed, untried].map((objects) => objects.map(({ label }) => label));
}

const refused: [number, unknown] = [422, { kind: "Status", reason: "Invalid", message: "no" }];
const taken: [number, unknown] = [200, { metadata: {} }];

Deno.test("a refused object does not stop the others from being applied", async () => {
  const { outcome } = await apply(
    [object("ConfigMap", "a"), object("ConfigMap", "b"), object("ConfigMap", "c")],
    (path) => path.endsWith("/b") ? refused : taken,
  );
  assert.deepEqual(summary(outcome), [["configmap/a", "configmap/c"], ["configmap/b"], []]);
});

Deno.test("if the cluster goes away half-way, the outcome says what was applied and what was not", async () => {
  const { outcome } = await apply(
    [object("ConfigMap", "a"), object("ConfigMap", "b"), object("ConfigMap", "c")],
    (path) => path.endsWith("/a") ? taken : undefined,
  );
  assert.deepEqual(summary(outcome), [["configmap/a"], [], ["configmap/c"]]);
  // Its request was sent, and no answer came.
  assert.equal(outcome.unsure?.label, "configmap/b");
  assert.equal((outcome.ended as Error).name, "ConnectionError");
});

Deno.test("nothing is applied after a namespace that was refused or is being deleted", async () => {
  for (const answer of [refused, [200, { metadata: { deletionTimestamp: "now" } }] as [number, unknown]]) {
    const { outcome } = await apply([object("ConfigMap", "a"), object("Namespace", "x")], () => answer);
    assert.deepEqual(summary(outcome), [[], ["namespace/x"], ["configmap/a"]]);
  }
});

Deno.test("an object waits until its definition is established and its path is served", async () => {
  const established = [200, { metadata: {}, status: { conditions: [{ type: "Established", status: "True" }] } }] as [number, unknown];
  // As the API server answers it right after its creation.
  const created = [200, { metadata: {}, status: { conditions: null } }] as [number, unknown];
  const { outcome, requests } = await apply([object("Cron", "c", "a.example/v1"), DEFINITION], (path, time) => {
    if (path.startsWith("GET")) return time === 1 ? created : established;
    return path.endsWith("/crons/c") && time === 1 ? [404, { kind: "Status", reason: "NotFound", message: "no such resource" }] : taken;
  });
  assert.deepEqual(summary(outcome)[0], ["customresourcedefinition.apiextensions.k8s.io/crons.a.example", "cron.a.example/c"]);
  const definition = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/crons.a.example";
  const cron = "/apis/a.example/v1/crons/c";
  assert.deepEqual(requests, [`PATCH ${definition}`, `GET ${definition}`, `GET ${definition}`, `PATCH ${cron}`, `PATCH ${cron}`]);
});

Deno.test("a definition whose names are taken fails with the reason", async () => {
  const conditions = [{ type: "NamesAccepted", status: "False", message: '"crons" is already in use' }];
  const { outcome } = await apply([DEFINITION], () => [200, { metadata: {}, status: { conditions } }]);
  assert.deepEqual(summary(outcome)[1], ["customresourcedefinition.apiextensions.k8s.io/crons.a.example"]);
});
