import assert from "node:assert/strict";
import { scriptedApi } from "../../tests/scripted_api.ts";
import { ScriptedServer } from "../../tests/scripted_server.ts";
import { deleteObject, whatKeeps } from "./delete_objects.ts";

Deno.test("whatKeeps names finalizers, remaining content, or the grace period", () => {
  assert.equal(whatKeeps({ metadata: { finalizers: ["a/b"] } }), "its finalizers are not done: a/b");
  const remaining = { type: "NamespaceContentRemaining", status: "True", message: "some pods are left" };
  const fine = { type: "NamespaceDeletionDiscoveryFailure", status: "False", message: "all is well" };
  assert.equal(whatKeeps({ metadata: {}, status: { conditions: [fine, remaining] } }), "some pods are left");
  assert.equal(whatKeeps({ metadata: { deletionGracePeriodSeconds: 30 } }), "it has 30 s to stop");
  assert.equal(whatKeeps({ metadata: {} }), undefined);
});

Deno.test("an object counts as deleted if the request was sent twice and the second one does not find it", async () => {
  let asked = 0;
  using server = new ScriptedServer((_, reply) => {
    if (++asked === 1) return reply.json(200, {});
    return asked === 2 ? reply.close() : reply.json(404, { kind: "Status", reason: "NotFound", message: "not found" });
  });
  using api = scriptedApi(server);
  const options = { dryRun: false, signal: new AbortController().signal };
  await api.get("/x");
  assert.equal(await deleteObject(api, { path: "/x" }, options), "");
  assert.equal(await deleteObject(api, { path: "/x" }, options), undefined);
});
