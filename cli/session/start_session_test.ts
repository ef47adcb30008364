import assert from "node:assert/strict";
import { FORWARD_PLAN as PLAN } from "../../tests/forward_plan.ts";
import { Api } from "../../k8s/api/api.ts";
import { loadClusterAccess } from "../../k8s/kubeconfig/kubeconfig.ts";
import { MissingRightsError } from "../../k8s/session/session_rights.ts";
import type { ServiceClaim } from "../../k8s/session/service/claim_service.ts";
import { RESOURCES } from "../../k8s/session/objects/forward_objects.ts";
import { annotated, ownedObjects } from "../../k8s/session/objects/session_manifests.ts";
import { type ScriptedReply, type ScriptedRequest, ScriptedServer } from "../../tests/scripted_server.ts";
import type { Context } from "../command/context.ts";
import { preflight } from "./start_session.ts";

const NOT_FOUND = { kind: "Status", status: "Failure", reason: "NotFound", message: "not found", code: 404 };

/** The rules of an administrator. */
const ALL = { status: { resourceRules: [{ verbs: ["*"], apiGroups: ["*"], resources: ["*"] }] } };

/** Runs a preflight against a scripted server. @returns what was asked, by method */
async function run(
  handle: (request: ScriptedRequest, reply: ScriptedReply) => unknown,
  plan = PLAN,
): Promise<{ asked: string[]; claim: ServiceClaim }> {
  using server = new ScriptedServer(handle);
  const access = await loadClusterAccess({ server: `http://127.0.0.1:${server.port}` }, { get: () => undefined });
  const api = new Api(access, { userAgent: "test" });
  const context = { interrupted: new AbortController().signal, stderr: () => {} } as unknown as Context;
  try {
    const { claim } = await preflight({ context, api, plan, port: undefined, takeover: false, transport: "service" });
    return { asked: server.requests.map(({ method }) => method), claim };
  } finally {
    api.close();
  }
}

function answer({ method, target }: ScriptedRequest, reply: ScriptedReply, allowed = true): Promise<void> {
  if (method === "GET" && target.includes("/services?")) return reply.json(200, { items: [] });
  return method === "POST" ? reply.json(201, { status: { allowed } }) : reply.json(404, NOT_FOUND);
}

Deno.test("rights and names are checked in parallel", async () => {
  const questions = 7;
  const held: (() => void)[] = [];
  const { claim } = await run(async (request, reply) => {
    const all = new Promise<void>((resolve) => held.push(resolve));
    if (held.length === questions) { for (const go of held) go(); }
    await all;
    await (request.target.includes("rulesreviews") ? reply.json(201, ALL) : answer(request, reply));
  });
  assert.equal(held.length, questions);
  assert.deepEqual(claim, {
    do: "create",
    plan: { ...annotated({ ...PLAN, runAsUser: 65532, serverIn: "ConfigMap", resources: RESOURCES }), early: true },
    join: undefined,
  });
});

Deno.test("all missing rights are named together", async () => {
  await assert.rejects(
    run((request, reply) => answer(request, reply, !/"(secrets|pods)"/.test(request.body))),
    (error) => {
      assert.ok(error instanceof MissingRightsError);
      assert.deepEqual(error.missing.map(({ resource }) => resource), ["pods", "secrets"]);
      return true;
    },
  );
});

Deno.test("a start continues if rights may not be checked", async () => {
  const { asked } = await run((request, reply) =>
    request.method === "POST" ? reply.json(403, { kind: "Status", reason: "Forbidden", message: "no", code: 403 }) : answer(request, reply)
  );
  assert.equal(asked.filter((method) => method === "GET").length, 6);
});

Deno.test("the session's Secret has the server if the cluster refuses a ConfigMap, as a webhook does that the session is to serve", async () => {
  const plan = { ...PLAN, server: "// server" };
  const place = async (status: number) => {
    const { claim } = await run((request, reply) => {
      const isConfigMap = request.target.startsWith("/api/v1/namespaces/shop/configmaps?") && request.target.includes("dryRun=All");
      return isConfigMap ? reply.json(status, { kind: "Status", message: "failed calling webhook", code: status }) : answer(request, reply);
    }, plan);
    const kinds = ownedObjects(claim.plan, "1", { key: new Uint8Array(), cert: "", certKey: "" }).flat(2);
    return kinds.flatMap((object) => "data" in object && object.data?.["server.js"] ? [`${object.kind} ${object.data["server.js"]}`] : []);
  };
  assert.deepEqual(await place(201), ["ConfigMap // server"]);
  assert.deepEqual(await place(500), [`Secret ${btoa("// server")}`]);
});

Deno.test("on OpenShift, which gives each namespace a range of users, the Pod names none", async () => {
  const { claim } = await run((request, reply) =>
    request.target === "/apis/security.openshift.io" ? reply.json(200, { kind: "APIGroup" }) : answer(request, reply)
  );
  assert.deepEqual([claim.do, claim.plan.runAsUser], ["create", undefined]);
});
