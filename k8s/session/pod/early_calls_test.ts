import assert from "node:assert/strict";
import { FORWARD_PLAN as PLAN } from "../../../tests/forward_plan.ts";
import { scriptedApi } from "../../../tests/scripted_api.ts";
import { ScriptedServer } from "../../../tests/scripted_server.ts";
import { SESSION_LABEL } from "../objects/session_plan.ts";
import { endEarlyCalls } from "./early_calls.ts";

const SERVICE = { metadata: { uid: "u-1", labels: { [SESSION_LABEL]: PLAN.name } }, spec: { publishNotReadyAddresses: true } };
const pod = `${JSON.stringify({ type: "ADDED", object: { metadata: {}, status: { conditions: [{ type: "Ready", status: "True" }] } } })}\n`;
const watched = `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${pod.length.toString(16)}\r\n${pod}\r\n`;

Deno.test("the Service leads to ready Pods only a second after the first is ready, and a user without the right is not told", async () => {
  let ready = Infinity;
  for (const status of [200, 403]) {
    using server = new ScriptedServer(({ method, target }, reply) => {
      if (method === "GET" && target.includes("/services/")) return reply.json(200, SERVICE);
      if (method === "PATCH") return reply.json(status, status === 200 ? {} : { kind: "Status", code: 403, message: "no" });
      ready = performance.now();
      return reply.write(watched);
    });
    using api = scriptedApi(server);
    await endEarlyCalls(api, PLAN, AbortSignal.timeout(10_000));
    assert.ok(performance.now() - ready > 900);
    const { method, target, body } = server.requests.at(-1)!;
    assert.deepEqual([method, target.replace(/\?.*/, "")], ["PATCH", `/api/v1/namespaces/${PLAN.namespace}/services/${PLAN.service}`]);
    assert.deepEqual(JSON.parse(body), { metadata: { uid: "u-1" }, spec: { publishNotReadyAddresses: null } });
  }
});

Deno.test("a Service of another session, or that leads to ready Pods only, is not changed", async () => {
  for (const service of [{ ...SERVICE, metadata: { labels: { [SESSION_LABEL]: "kurun-other" } } }, { ...SERVICE, spec: {} }]) {
    using server = new ScriptedServer(({ target }, reply) =>
      target.includes("/services/") ? reply.json(200, service) : reply.write(watched)
    );
    using api = scriptedApi(server);
    await endEarlyCalls(api, PLAN, AbortSignal.timeout(10_000));
    assert.deepEqual(server.requests.filter(({ method }) => method !== "GET"), []);
  }
});
