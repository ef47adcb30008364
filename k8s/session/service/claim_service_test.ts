import assert from "node:assert/strict";
import { FORWARD_PLAN as PLAN } from "../../../tests/forward_plan.ts";
import { scriptedApi } from "../../../tests/scripted_api.ts";
import { ScriptedServer } from "../../../tests/scripted_server.ts";
import { claimService, type ClaimStep, ServiceRefusedError } from "./claim_service.ts";
import { findServices } from "./found_services.ts";

const SERVICES = "/api/v1/namespaces/shop/services";

Deno.test("a session is not removed for a Service that other Pods serve by now", async () => {
  const labels = { "app.kubernetes.io/managed-by": "kurun", "kurun.dev/session": "web-kurun-old" };
  const ownerReferences = [{ apiVersion: "batch/v1", kind: "Job", name: "web-kurun-old", uid: "job" }];
  const answers: Record<string, unknown> = {
    [`${SERVICES}/web`]: { metadata: { name: "web", uid: "1" }, spec: { selector: { app: "web" }, ports: [{ port: 80 }] } },
    [`${SERVICES}/web-kurun`]: { metadata: { name: "web-kurun", uid: "2", labels, ownerReferences } },
    "/apis/batch/v1/namespaces/shop/jobs/web-kurun-old": { metadata: { name: "web-kurun-old", uid: "job" } },
  };
  const endpoints = [{ addresses: ["10.0.0.1"], targetRef: { name: "web-original" } }];
  using server = new ScriptedServer(({ target }, reply) => {
    if (target.includes("/endpointslices")) return reply.json(200, { items: [{ endpoints }] });
    if (target.includes("?limit=")) return reply.json(200, { items: [] });
    if (target.includes("/selfsubjectaccessreviews")) return reply.json(201, { status: { allowed: true } });
    return answers[target] ? reply.json(200, answers[target]) : reply.json(404, { kind: "Status", reason: "NotFound", message: "none" });
  });
  using api = scriptedApi(server);
  const { signal } = new AbortController();
  const found = await findServices(api, "shop", "web", signal);
  const claim = { plan: PLAN, port: undefined, takeover: true, found, say: () => {}, release: () => Promise.resolve(), signal };
  await assert.rejects(claimService(api, claim), (error) => error instanceof ServiceRefusedError && error.refusal.is === "live");
  assert.ok(!server.requests.some(({ method }) => method === "DELETE"));
});

Deno.test("a start polls the Service that it waits for, and lists all Services at most each second", async () => {
  const going = { metadata: { name: "web", uid: "1", deletionTimestamp: "2026-01-01T00:00:00Z" } };
  let looks = 0;
  using server = new ScriptedServer(({ target }, reply) => {
    if (target.includes("?limit=")) return reply.json(200, { items: [] });
    if (target === `${SERVICES}/web` && ++looks <= 5) return reply.json(200, going);
    return reply.json(404, { kind: "Status", reason: "NotFound", message: "not found" });
  });
  using api = scriptedApi(server);
  const { signal } = new AbortController();
  const steps: ClaimStep[] = [];
  const start = performance.now();
  const claim = await claimService(api, {
    plan: PLAN,
    port: undefined,
    takeover: false,
    found: await findServices(api, "shop", "web", signal),
    say: (step) => steps.push(step),
    release: () => Promise.resolve(),
    signal,
  });
  const seconds = Math.floor((performance.now() - start) / 1000);
  assert.equal(claim.do, "create");
  assert.deepEqual(steps, [{ is: "waiting", going: ["service/web"] }]);
  assert.equal(looks, 6);
  const lists = server.requests.filter(({ target }) => target.startsWith(`${SERVICES}?`)).length;
  assert.ok(lists <= 2 + seconds, `${lists} lists in ${seconds} s`);
});
