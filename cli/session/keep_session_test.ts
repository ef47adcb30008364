import assert from "node:assert/strict";
import { FORWARD_PLAN } from "../../tests/forward_plan.ts";
import { ClusterSession } from "../../k8s/session/session.ts";
import type { SessionPlan } from "../../k8s/session/objects/session_plan.ts";
import { scriptedApi } from "../../tests/scripted_api.ts";
import { ScriptedServer } from "../../tests/scripted_server.ts";
import { Alarm } from "../command/timers.ts";
import { keepSession } from "./keep_session.ts";

const PLAN: SessionPlan = {
  ...FORWARD_PLAN,
  ports: [],
  ttlSeconds: 6,
  holdMs: 0,
  annotations: { "kurun.dev/since": "2026-01-01T00:00:00Z" },
};
const JOB = {
  metadata: { name: PLAN.name, uid: "job-1", resourceVersion: "1", annotations: PLAN.annotations },
  status: { startTime: "2026-01-01T00:00:00Z" },
};

Deno.test("a renewal on a silently dead connection is repeated on a new one within seconds, or at once after a warning", async () => {
  for (const known of [false, true]) {
    // The first connection carries the adoption, and then takes what is sent and says nothing.
    using server: ScriptedServer = new ScriptedServer((_, reply) => server.requests.length === 2 ? undefined : reply.json(200, JOB));
    using api = scriptedApi(server);
    const stop = new AbortController();
    const session = await ClusterSession.adopt(api, PLAN, { job: JOB, now: new Date(JOB.status.startTime) }, () => performance.now());
    const started = performance.now();
    const kept = keepSession(session, new Alarm(), stop.signal);
    while (server.requests.length < 3) {
      assert.ok(performance.now() - started < 15_000);
      await new Promise((resolve) => setTimeout(resolve, 20));
      if (known && server.requests.length === 2) api.distrustConnections();
    }
    const took = performance.now() - started;
    stop.abort();
    await kept;
    assert.deepEqual(server.requests.map(({ connection }) => connection), [1, 1, 2]);
    assert.ok(known ? took < 3_000 : took > 4_000, `${took} ms`);
  }
});
