import assert from "node:assert/strict";
import { scriptedApi } from "../../tests/scripted_api.ts";
import { ScriptedServer } from "../../tests/scripted_server.ts";
import type { PlannedObject } from "../manifests/apply_plan.ts";
import { followRollouts } from "./follow_rollouts.ts";

const DEPLOYMENT = "/apis/apps/v1/namespaces/shop/deployments/web";
const PLANNED = { path: DEPLOYMENT, namespace: "shop", resource: { group: "apps", kind: "Deployment" } } as PlannedObject;

Deno.test("a rollout that takes long is polled often and its Pods are listed seldom, once more at its end", async () => {
  const metadata = { name: "web", uid: "1" };
  const waiting = { reason: "ErrImagePull", message: "no such host" };
  using server = new ScriptedServer(({ target }, reply) =>
    target === DEPLOYMENT
      ? reply.json(200, { metadata, spec: { selector: { matchLabels: { app: "web" } } } })
      : reply.json(200, { items: [{ metadata: { name: "web-1" }, status: { containerStatuses: [{ state: { waiting } }] } }] })
  );
  using api = scriptedApi(server);
  const told: string[] = [];
  const observer = { waits: (_: PlannedObject, state: string) => told.push(state), ready: () => assert.fail("it is not ready") };
  const start = performance.now();
  const unready = await followRollouts(api, [PLANNED], observer, 2_200, new AbortController().signal);
  const seconds = Math.floor((performance.now() - start) / 1000);
  const [state, reason] = ["0 of 1 new Pods exist", "pod/web-1: ErrImagePull: no such host"];
  assert.deepEqual(told, [state, reason]);
  assert.deepEqual(unready, [{ object: PLANNED, why: `${state}; ${reason}` }]);
  const lists = server.requests.filter(({ target }) => target.startsWith("/api/v1/namespaces/shop/pods?")).length;
  assert.ok(lists >= 1 && lists <= seconds, `${lists} lists in ${seconds} s`);
});
