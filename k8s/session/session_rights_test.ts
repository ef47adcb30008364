import assert from "node:assert/strict";
import { scriptedApi } from "../../tests/scripted_api.ts";
import { ScriptedServer } from "../../tests/scripted_server.ts";
import { checkRights, describeRight, MissingRightsError, type Right } from "./session_rights.ts";

Deno.test("checkRights() checks each right and names the missing ones in their order", async () => {
  using server = new ScriptedServer((request, reply) => {
    const { resourceAttributes } = JSON.parse(request.body).spec;
    return reply.json(201, { status: { allowed: resourceAttributes.verb === "get" } });
  });
  using api = scriptedApi(server);
  const rights: Right[] = [
    { verb: "create", group: "batch", resource: "jobs", namespace: "shop" },
    { verb: "get", resource: "services", subresource: "proxy", name: "https:web-kurun:8333", namespace: "shop" },
    { verb: "watch", resource: "pods", namespace: "shop" },
  ];
  await assert.rejects(checkRights(api, rights, "rbac.yaml", new AbortController().signal), (error) => {
    assert.deepEqual(error instanceof MissingRightsError && error.missing, [rights[0], rights[2]]);
    return true;
  });
  assert.deepEqual(JSON.parse(server.requests[1]!.body).spec.resourceAttributes, rights[1]);
});

Deno.test("describeRight() names verb, resource, object and namespace", () => {
  const right = { verb: "get", resource: "services", subresource: "proxy", name: "https:web-kurun:8333", namespace: "shop" };
  assert.equal(describeRight(right), "get services/proxy named https:web-kurun:8333 in namespace shop");
  assert.equal(describeRight({ verb: "create", group: "batch", resource: "jobs" }), "create jobs.batch");
});
