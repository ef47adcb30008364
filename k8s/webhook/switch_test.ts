import assert from "node:assert/strict";
import { FORWARD_PLAN } from "../../tests/forward_plan.ts";
import { scriptedApi } from "../../tests/scripted_api.ts";
import { ScriptedServer } from "../../tests/scripted_server.ts";
import { switchOff, switchOn } from "./switch.ts";

const { signal } = new AbortController();
const BINDINGS = "/apis/rbac.authorization.k8s.io/v1/namespaces/shop/rolebindings";

/** An API server that notices a RoleBinding only at the third look. @returns what it was asked */
async function asked(act: (api: ReturnType<typeof scriptedApi>) => Promise<void>, binding: number, sees?: boolean): Promise<string[]> {
  let looks = 0;
  using server = new ScriptedServer(({ target }, reply) => {
    if (!target.includes("reviews")) return reply.json(binding, { kind: "Status" });
    looks++;
    return sees === undefined ? reply.json(403, {}) : reply.json(201, { status: { allowed: looks < 3 ? !sees : sees } });
  });
  using api = scriptedApi(server);
  await act(api);
  return server.requests.map(({ method, target }) => `${method} ${target.replace(/\?.*/, "").replace(/.*reviews$/, "review")}`);
}

Deno.test("a session is on when the API server knows its RoleBinding, and off when it has forgotten it", async () => {
  const on = await asked((api) => switchOn(api, FORWARD_PLAN, "1", signal), 201, true);
  assert.deepEqual(on, [`POST ${BINDINGS}`, "review", "review", "review"].map((line) => line.replace(/^review/, "POST review")));
  const off = await asked((api) => switchOff(api, FORWARD_PLAN, signal), 200, false);
  assert.deepEqual(off, [`DELETE ${BINDINGS}/${FORWARD_PLAN.name}`, "POST review", "POST review", "POST review"]);
});

Deno.test("a session that is off already is not waited for", async () => {
  assert.deepEqual(await asked((api) => switchOff(api, FORWARD_PLAN, signal), 404, false), [`DELETE ${BINDINGS}/${FORWARD_PLAN.name}`]);
});

Deno.test("without the right to ask, two seconds pass after the switch", async () => {
  const since = performance.now();
  assert.equal((await asked((api) => switchOff(api, FORWARD_PLAN, signal), 200)).length, 2);
  assert.ok(performance.now() - since >= 2_000);
});
