import assert from "node:assert/strict";
import { FORWARD_PLAN } from "../../tests/forward_plan.ts";
import { scriptedApi } from "../../tests/scripted_api.ts";
import { type ScriptedReply, type ScriptedRequest, ScriptedServer } from "../../tests/scripted_server.ts";
import type { Api } from "../api/api.ts";
import { ClusterSession, ObjectExistsError, SessionGoneError, SessionTakenError } from "./session.ts";
import type { ForwardPlan } from "./objects/session_plan.ts";
import type { Job } from "../api/kubernetes_objects.ts";

const PLAN: ForwardPlan = {
  ...FORWARD_PLAN,
  ports: [{ name: "http", port: 80, targetPort: 8444 }],
  annotations: { "kurun.dev/who": "ann", "kurun.dev/from": "laptop", "kurun.dev/since": "2026-01-01T00:05:00Z" },
};
const SECRETS = { key: new Uint8Array(32), cert: "", certKey: "" };
const NOW = new Date("2026-01-01T00:05:00Z");
const JOBS = "/apis/batch/v1/namespaces/shop/jobs";

/** A Job in the cluster; `since` is when its client started. */
function job(resourceVersion: string, since: string, who = "ann"): Job & { metadata: { annotations: Record<string, string> } } {
  return {
    metadata: {
      name: PLAN.name,
      uid: "job-1",
      resourceVersion,
      creationTimestamp: "2026-01-01T00:00:00Z",
      annotations: { "kurun.dev/who": who, "kurun.dev/from": who === "bob" ? "desk" : "laptop", "kurun.dev/since": since },
    },
    status: { startTime: "2026-01-01T00:00:00Z" },
  };
}

/** Runs something against a scripted server. @returns the requests and the outcome */
async function against<T>(
  handle: (request: ScriptedRequest, reply: ScriptedReply) => Promise<void>,
  run: (api: Api) => Promise<T>,
): Promise<{ asked: ScriptedRequest[]; outcome: T | Error }> {
  using server = new ScriptedServer(handle);
  using api = scriptedApi(server);
  const outcome = await run(api).catch((error: Error) => error);
  return { asked: [...server.requests], outcome };
}

function status(reply: ScriptedReply, code: number, reason: string): Promise<void> {
  return reply.json(code, { kind: "Status", status: "Failure", reason, message: reason, code });
}

Deno.test("if another start created the control Service first, the user's Service is not created and the session is removed", async () => {
  const { asked, outcome } = await against(async ({ method, target, body }, reply) => {
    if (method === "POST" && target.includes("/services")) return await status(reply, 409, "AlreadyExists");
    if (method === "GET") return await status(reply, 404, "NotFound");
    await reply.json(201, body.includes('"Job"') ? job("1", "") : {});
  }, (api) => ClusterSession.create(api, PLAN, SECRETS, () => NOW.getTime()));
  assert.ok(outcome instanceof ObjectExistsError);
  const services = asked.filter(({ method, target }) => method === "POST" && target.includes("/services"));
  assert.deepEqual(services.map(({ body }) => JSON.parse(body).metadata.name), ["web-kurun"]);
  const [removal] = asked.filter(({ method }) => method === "DELETE");
  assert.equal(removal?.target, `${JOBS}/${PLAN.name}`);
  assert.deepEqual(JSON.parse(removal.body).preconditions, { uid: "job-1", resourceVersion: "1" });
});

Deno.test("a session is removed only after the creation of each of its objects was answered", async () => {
  const steps: string[] = [];
  const { outcome } = await against(async ({ method, target, body }, reply) => {
    if (method === "DELETE") steps.push("removed");
    if (method === "POST" && target.includes("/secrets")) return await status(reply, 403, "Forbidden");
    if (method === "GET") return await status(reply, 404, "NotFound");
    if (method === "POST" && target.includes("/configmaps")) {
      await new Promise((resolve) => setTimeout(resolve, 200));
      steps.push("ConfigMap created");
    }
    await reply.json(201, body.includes('"Job"') ? job("1", "") : {});
  }, (api) => ClusterSession.create(api, { ...PLAN, server: "// server" }, SECRETS, () => NOW.getTime()));
  assert.equal((outcome as Error).message, "Forbidden");
  assert.deepEqual(steps, ["ConfigMap created", "removed"]);
});

/** Adopts a session whose Job had version 1 when it was read. */
function adopt(api: Api): Promise<ClusterSession> {
  return ClusterSession.adopt(api, PLAN, { job: job("1", "2026-01-01T00:00:00Z"), now: NOW }, () => NOW.getTime());
}

Deno.test("an adoption writes the new client into the version that was read, and moves the deadline from the Job's own start", async () => {
  const { asked, outcome } = await against(
    (_, reply) => reply.json(200, job("2", PLAN.annotations["kurun.dev/since"]!)),
    adopt,
  );
  assert.ok(outcome instanceof ClusterSession);
  assert.deepEqual(asked.map(({ method }) => method), ["PATCH"]);
  assert.deepEqual(JSON.parse(asked[0]!.body), {
    metadata: { uid: "job-1", resourceVersion: "1", annotations: { ...PLAN.annotations, "kurun.dev/seen": NOW.toISOString() } },
    spec: { activeDeadlineSeconds: 300 + 120 },
  });
});

Deno.test("a Job that its controller changed meanwhile is adopted all the same; one that another start adopted is not", async () => {
  for (const taken of [false, true]) {
    const now = job("2", taken ? "2026-01-01T00:04:59Z" : "2026-01-01T00:00:00Z", "bob");
    const { asked, outcome } = await against(async ({ method, body }, reply) => {
      if (method === "GET") return await reply.json(200, now);
      if (JSON.parse(body).metadata.resourceVersion === "1") return await status(reply, 409, "Conflict");
      await reply.json(200, job("3", PLAN.annotations["kurun.dev/since"]!));
    }, adopt);
    assert.deepEqual(asked.map(({ method }) => method), taken ? ["PATCH", "GET"] : ["PATCH", "GET", "PATCH"]);
    if (taken) assert.equal(outcome instanceof SessionTakenError && outcome.session.who, "bob");
    else assert.ok(outcome instanceof ClusterSession);
  }
});

Deno.test("an adoption recognizes its own patch if the answer was lost and the API client sent it twice", async () => {
  // The state of the cluster: the first patch is carried out, then its connection breaks without an answer.
  let now = job("1", "2026-01-01T00:00:00Z");
  let cut = false;
  const { asked, outcome } = await against(async ({ method, body }, reply) => {
    if (method === "GET") return await reply.json(200, now);
    if (JSON.parse(body).metadata.resourceVersion !== now.metadata.resourceVersion) return await status(reply, 409, "Conflict");
    now = job(String(Number(now.metadata.resourceVersion) + 1), PLAN.annotations["kurun.dev/since"]!);
    if (cut) return await reply.json(200, now);
    cut = true;
    reply.close();
  }, async (api) => {
    // The API client repeats a request only on a connection that it has used before.
    await api.get(JOBS);
    return await adopt(api);
  });
  assert.ok(outcome instanceof ClusterSession, String(outcome));
  assert.deepEqual(asked.map(({ method }) => method), ["GET", "PATCH", "PATCH", "GET", "PATCH"]);
});

Deno.test("an adoption that was sent twice and then lost to another start is refused", async () => {
  let patches = 0;
  const { outcome } = await against(async ({ method }, reply) => {
    if (method === "GET") return await reply.json(200, job("3", "2026-01-01T00:05:00Z", "bob"));
    if (++patches === 1) return reply.close();
    await status(reply, 409, "Conflict");
  }, async (api) => {
    await api.get(JOBS);
    return await adopt(api);
  });
  assert.equal(outcome instanceof SessionTakenError && outcome.session.who, "bob");
});

Deno.test("a session whose deadline passed before it could be adopted is gone", async () => {
  const failed = { ...job("2", PLAN.annotations["kurun.dev/since"]!), status: { conditions: [{ type: "FailureTarget", status: "True" }] } };
  const { outcome } = await against((_, reply) => reply.json(200, failed), adopt);
  assert.equal(outcome instanceof SessionGoneError && outcome.expired, true);
});

Deno.test("a client that renews a session of another client learns who replaced it, from the Job or from the Service's next owner", async () => {
  const labels = { "app.kubernetes.io/managed-by": "kurun", "kurun.dev/session": "web-kurun-zzzzz" };
  const annotations = { "kurun.dev/who": "bob", "kurun.dev/from": "desk" };
  for (const deleted of [false, true]) {
    let renewals = 0;
    const { outcome } = await against(async ({ method }, reply) => {
      if (method === "GET") return await reply.json(200, { metadata: { name: "web-kurun", uid: "s", labels, annotations } });
      if (renewals++ === 0) return await reply.json(200, job("2", PLAN.annotations["kurun.dev/since"]!));
      if (deleted) return await status(reply, 404, "NotFound");
      await reply.json(200, job("3", "2026-01-01T00:06:00Z", "bob"));
    }, async (api) => await (await adopt(api)).renew(5_000));
    assert.ok(outcome instanceof SessionGoneError);
    assert.equal(outcome.message, "this kurun lost session web-kurun-bcdfg: replaced by bob from desk");
    assert.equal(outcome.expired, false);
  }
});

Deno.test("a client that ends before it knows that it was replaced leaves the session to whoever adopted it", async () => {
  for (const adopted of [false, true]) {
    // Another client's, or this client's with a status that the controller wrote.
    const now = adopted ? job("3", "2026-01-01T00:06:00Z", "bob") : job("3", PLAN.annotations["kurun.dev/since"]!);
    let there = true;
    const { asked, outcome } = await against(async ({ method, body }, reply) => {
      if (method === "GET") return await status(reply, 404, "NotFound");
      if (method === "PATCH") return await reply.json(200, JSON.parse(body).spec ? job("2", PLAN.annotations["kurun.dev/since"]!) : now);
      if (JSON.parse(body).preconditions.resourceVersion !== "3") return await status(reply, 409, "Conflict");
      there = false;
      await reply.json(200, {});
    }, async (api) => await (await adopt(api)).delete());
    assert.equal(outcome, undefined);
    assert.equal(there, adopted);
    const changes = asked.map(({ method }) => method).filter((method) => method !== "GET");
    assert.deepEqual(changes, adopted ? ["PATCH", "DELETE", "PATCH"] : ["PATCH", "DELETE", "PATCH", "DELETE"]);
  }
});

Deno.test("a renewal that is late, such as after sleep, is repeated once, even if every answer is late", async () => {
  let now = NOW.getTime();
  const { asked, outcome } = await against((_, reply) => {
    now += 6_000;
    return reply.json(200, job("2", PLAN.annotations["kurun.dev/since"]!));
  }, async (api) => {
    const session = await ClusterSession.adopt(api, PLAN, { job: job("1", "2026-01-01T00:00:00Z"), now: NOW }, () => now);
    await session.renew(5_000);
  });
  assert.equal(outcome, undefined);
  assert.equal(asked.length, 3);
});
