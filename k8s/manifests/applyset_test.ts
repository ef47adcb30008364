import type { Live } from "../api/kubernetes_objects.ts";
import assert from "node:assert/strict";
import { scriptedApi } from "../../tests/scripted_api.ts";
import { ScriptedServer } from "../../tests/scripted_server.ts";
import { ApplySetError, applySetId, applySetParent, findOrphans, parentBody, parentPath, readScope } from "./applyset.ts";
import { ApiResources } from "./discovery.ts";

const PARENT = applySetParent("demo", "e2");

Deno.test("the parent is a Secret, or the resource before the slash", () => {
  assert.deepEqual(PARENT, { kind: "Secret", name: "demo", namespace: "e2" });
  assert.equal(parentPath(PARENT), "/api/v1/namespaces/e2/secrets/demo");
  assert.equal(parentPath(applySetParent("configmaps/demo", "e2")), "/api/v1/namespaces/e2/configmaps/demo");
});

Deno.test("the id is kubectl's", () => {
  // kubectl's own tests have this id.
  assert.equal(applySetId(applySetParent("my-set", "test")), "applyset-0eFHV8ySqp7XoShsGvyWFQD3s96yqwHmzc4e0HR1dsY-v1");
});

Deno.test("a parent's scope is read as it was written", () => {
  const scope = { kinds: new Set(["Service", "Deployment.apps"]), namespaces: new Set(["e2", "other", "another"]) };
  const body = parentBody(PARENT, scope);
  assert.deepEqual(body.metadata.annotations, {
    "applyset.kubernetes.io/tooling": "kubectl/v1.34.4",
    "applyset.kubernetes.io/contains-group-kinds": "Deployment.apps,Service",
    "applyset.kubernetes.io/additional-namespaces": "another,other",
  });
  assert.deepEqual(readScope(PARENT, body as Live), scope);
});

Deno.test("a parent of another program, or an object that is not a parent, is refused", () => {
  const body = parentBody(PARENT, { kinds: new Set(), namespaces: new Set() });
  const changed = (annotations: Record<string, string>) => ({ metadata: { ...body.metadata, annotations } });
  const kinds = { "applyset.kubernetes.io/contains-group-kinds": "" };
  const refused = (live: Record<string, unknown>, pattern: RegExp) =>
    assert.throws(() => readScope(PARENT, live as Live), (error: Error) => error instanceof ApplySetError && pattern.test(error.message));
  refused({ metadata: {} }, /^Secret demo in namespace e2 exists and is not a set/);
  refused(changed({ ...kinds, "applyset.kubernetes.io/tooling": "kpt/v1" }), /belongs to kpt: /);
  refused(changed({ "applyset.kubernetes.io/tooling": "kubectl/v1" }), /does not say which kinds the set has/);
  refused({ metadata: { ...body.metadata, labels: {} } }, /the wrong label applyset.kubernetes.io\/id: none/);
});

const scope = (...kinds: string[]) => ({ kinds: new Set(kinds), namespaces: new Set(["x"]) });
const signal = new AbortController().signal;

Deno.test("a kind whose API server does not answer is an error, so that its members are not forgotten; a kind that is gone is not", async () => {
  using server = new ScriptedServer((_, reply) => reply.json(200, { items: [] }));
  using api = scriptedApi(server);
  const resources = new ApiResources([{ group: "", version: "v1", kind: "ConfigMap", plural: "configmaps", namespaced: true }], [
    "silent.example",
  ]);
  const find = (...kinds: string[]) => findOrphans(api, PARENT, scope(...kinds), resources, new Set(), signal);
  await assert.rejects(find("ConfigMap", "Cron.silent.example"), {
    name: "ApplySetError",
    message: "the set demo has Cron.silent.example, and the API server of silent.example does not answer",
  });
  assert.deepEqual(await find("ConfigMap", "Cron.gone.example"), { orphans: [], gone: ["Cron.gone.example"] });
});

Deno.test("namespaces, definitions of kinds and volumes are never pruned", async () => {
  using server = new ScriptedServer((_, reply) => reply.json(200, { items: [{ metadata: { name: "a", uid: "u" } }] }));
  using api = scriptedApi(server);
  const kept = ["Namespace", "PersistentVolume", "PersistentVolumeClaim", "CustomResourceDefinition.apiextensions.k8s.io"];
  const pruned = ["ConfigMap", "Cron.a.example.com", "Deployment.apps"];
  const resources = new ApiResources([...kept, ...pruned].map((groupKind) => {
    const [kind = "", ...group] = groupKind.split(".");
    return { group: group.join("."), version: "v1", kind, plural: `${kind.toLowerCase()}s`, namespaced: false };
  }));
  const { orphans } = await findOrphans(api, PARENT, scope(...kept, ...pruned), resources, new Set(), signal);
  const labels = (isKept: boolean) => orphans.filter(({ kept }) => kept === isKept).map(({ label }) => label);
  assert.deepEqual(labels(false), ["configmap/a", "cron.a.example.com/a", "deployment.apps/a"]);
  assert.equal(labels(true).length, kept.length);
});
