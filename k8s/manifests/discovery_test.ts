import assert from "node:assert/strict";
import { scriptedApi } from "../../tests/scripted_api.ts";
import { ScriptedServer } from "../../tests/scripted_server.ts";
import { discover } from "./discovery.ts";

Deno.test("discovery takes two requests, and one for each version on an older cluster", async () => {
  const item = {
    metadata: { name: "apps" },
    versions: [{ version: "v1", resources: [{ resource: "deployments", scope: "Namespaced", responseKind: { kind: "Deployment" } }] }],
  };
  using newer = new ScriptedServer(({ target }, reply) =>
    reply.json(200, { kind: "APIGroupDiscoveryList", items: target === "/apis" ? [item] : [] })
  );
  using api = scriptedApi(newer);
  assert.equal((await discover(api)).find("apps/v1", "Deployment")?.plural, "deployments");
  assert.deepEqual(newer.requests.map(({ target }) => target).sort(), ["/api", "/apis"]);
  assert.match(newer.requests[0]!.headers.accept!, /as=APIGroupDiscoveryList.*,application\/json$/);

  const group = (...versions: string[]) => ({
    preferredVersion: { groupVersion: versions.at(-1) },
    versions: versions.map((groupVersion) => ({ groupVersion })),
  });
  const crons = { resources: [{ name: "crons", kind: "Cron", namespaced: true }] };
  const lists: Record<string, unknown> = {
    "/api": { kind: "APIVersions", versions: ["v1"] },
    "/apis": {
      kind: "APIGroupList",
      groups: [group("a.example/v1", "a.example/v2"), group("silent.example/v1"), group("gone.example/v1")],
    },
    "/api/v1": { resources: [{ name: "pods", kind: "Pod", namespaced: true }, { name: "pods/log", kind: "Pod", namespaced: true }] },
    "/apis/a.example/v1": crons,
    "/apis/a.example/v2": crons,
  };
  using older = new ScriptedServer(({ target }, reply) =>
    lists[target] ? reply.json(200, lists[target]) : reply.json(target.includes("silent") ? 503 : 404, {})
  );
  using oldApi = scriptedApi(older);
  const resources = await discover(oldApi);
  assert.deepEqual(resources.find("v1", "Pod"), { group: "", version: "v1", kind: "Pod", plural: "pods", namespaced: true });
  assert.equal(resources.findGroupKind("a.example", "Cron")?.version, "v2");
  assert.deepEqual(resources.silentGroups, ["silent.example"]);
});
