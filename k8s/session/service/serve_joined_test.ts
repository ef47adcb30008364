import assert from "node:assert/strict";
import { FORWARD_PLAN } from "../../../tests/forward_plan.ts";
import { scriptedApi } from "../../../tests/scripted_api.ts";
import { type ScriptedReply, type ScriptedRequest, ScriptedServer } from "../../../tests/scripted_server.ts";
import type { EndpointSlice, Pod } from "../../api/kubernetes_objects.ts";
import type { ForwardPlan } from "../objects/session_plan.ts";
import { endpointSlices, mayWriteSlices, retireSlices } from "./endpoint_slices.ts";
import { serveJoined } from "./serve_joined.ts";

const JOINED = { families: ["IPv6", "IPv4"], headless: true } as const;
const PLAN: ForwardPlan = {
  ...FORWARD_PLAN,
  ports: [{ port: 80, targetPort: 8444 }, { name: "hook", port: 443, targetPort: 9443, targetName: "webhook" }],
  joined: JOINED,
};
const ONE_FAMILY: ForwardPlan = { ...PLAN, joined: { ...JOINED, families: ["IPv4"] } };

function pod(ready: boolean, more: Partial<Pod["metadata"]> = {}, ips = ["10.0.0.1", "fd00::1"]): Pod {
  const conditions = [{ type: "Ready", status: ready ? "True" : "False" }];
  const metadata = { name: `${PLAN.name}-1-a`, uid: "p", ...more };
  return { metadata, spec: { containers: [], nodeName: "n" }, status: { conditions, podIPs: ips.map((ip) => ({ ip })) } };
}

function slicesOf(pod: Pod) {
  return endpointSlices(PLAN, pod);
}

Deno.test("a Pod has one EndpointSlice for each of the Service's families that it has an address of, with the Service's ports by name", () => {
  const [six, four] = slicesOf(pod(true));
  assert.deepEqual([six?.addressType, six?.endpoints[0]?.addresses, four?.addressType, four?.endpoints[0]?.addresses], [
    "IPv6",
    ["fd00::1"],
    "IPv4",
    ["10.0.0.1"],
  ]);
  assert.deepEqual(four?.ports, [{ name: "", protocol: "TCP", port: 8444 }, { name: "hook", protocol: "TCP", port: 9443 }]);
  assert.equal(four?.metadata.labels?.["service.kubernetes.io/headless"], "");
  assert.deepEqual(slicesOf(pod(true, {}, ["10.0.0.1"])).map(({ addressType }) => addressType), ["IPv4"]);
  assert.deepEqual(slicesOf(pod(true, {}, [])), []);
});

Deno.test("an EndpointSlice's conditions are those that the cluster's controller sets", () => {
  const conditions = (pod: Pod) => slicesOf(pod)[0]?.endpoints[0]?.conditions;
  const deletionTimestamp = "2026-01-01T00:00:00Z";
  assert.deepEqual(conditions(pod(true)), { ready: true, serving: true, terminating: false });
  assert.deepEqual(conditions(pod(false)), { ready: false, serving: false, terminating: false });
  assert.deepEqual(conditions(pod(true, { deletionTimestamp })), { ready: false, serving: true, terminating: true });
});

/** Serves while the Pods change like this. @returns what was written, as `NAME ready|not`, and what was said about other Pods */
async function serve(
  events: readonly (readonly [type: string, pod: Pod])[],
  on: (request: ScriptedRequest, reply: ScriptedReply) => unknown = () => {},
  enough: (written: readonly string[], others: readonly string[]) => boolean = (written) => written.length === 99,
): Promise<{ written: string[]; others: string[] }> {
  const written: string[] = [];
  const others: string[] = [];
  const stop = new AbortController();
  const check = () => enough(written, others) && stop.abort();
  using server = new ScriptedServer(async (request, reply) => {
    const answered = await on(request, reply);
    if (answered) return;
    if (request.method === "PATCH") {
      const { metadata, endpoints } = JSON.parse(request.body) as EndpointSlice;
      written.push(`${metadata.name} ${endpoints[0]?.conditions?.ready ? "ready" : "not"}`);
      await reply.json(200, {});
      return check();
    }
    if (!request.target.includes("watch=true")) return await reply.json(200, { items: [] });
    await reply.write("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (const [type, object] of events) {
      const line = `${JSON.stringify({ type, object })}\n`;
      await reply.write(`${new TextEncoder().encode(line).length.toString(16)}\r\n${line}\r\n`);
    }
  });
  using api = scriptedApi(server);
  const onOthers = (pods: readonly string[]) => {
    others.push(pods.join());
    check();
  };
  const timer = setTimeout(() => stop.abort(), 10_000);
  await serveJoined(api, ONE_FAMILY, onOthers, stop.signal, 20).catch((error) => {
    if (!stop.signal.aborted) throw error;
  });
  clearTimeout(timer);
  return { written, others };
}

const NAME = `${PLAN.name}-1-a-ipv4`;
/** The slices of the Service, of which kurun's is one. */
const listed = (...more: unknown[]) => (request: ScriptedRequest, reply: ScriptedReply) =>
  request.target.includes("labelSelector=kubernetes.io") &&
  reply.json(200, { items: [{ metadata: { name: NAME }, endpoints: [] }, ...more] }).then(() => true);

Deno.test("a slice is written when its Pod is ready, and again only when that changes; the next Pod gets its own", async () => {
  const next = (ready: boolean) => pod(ready, { name: `${PLAN.name}-1-b`, uid: "q" });
  const ending = pod(true, { deletionTimestamp: "2026-01-01T00:00:00Z" });
  const events = [
    ["ADDED", pod(false)],
    ["MODIFIED", pod(true)],
    ["MODIFIED", pod(true, { resourceVersion: "7" })],
    ["MODIFIED", ending],
    ["ADDED", next(false)],
    ["DELETED", ending],
    ["MODIFIED", next(true)],
  ] as const;
  const { written } = await serve(events, listed({ metadata: { name: NAME.replace("-a-", "-b-") } }), (written) => written.length === 3);
  assert.deepEqual(written, [`${NAME} ready`, `${NAME} not`, `${NAME.replace("-a-", "-b-")} ready`]);
});

Deno.test("a slice that somebody deletes is written again", async () => {
  const { written } = await serve([["ADDED", pod(true)]], undefined, (written) => written.length === 2);
  assert.deepEqual(written, [`${NAME} ready`, `${NAME} ready`]);
});

Deno.test("a write that fails for a moment is repeated; a first one that is refused ends the session with the cluster's words", async () => {
  const refusing = (status: number, times: number) => (request: ScriptedRequest, reply: ScriptedReply) =>
    request.method === "PATCH" && times-- > 0 && reply.json(status, { kind: "Status", message: "not now" }).then(() => true);
  const { written } = await serve([["ADDED", pod(true)]], refusing(503, 1), (written) => written.length === 1);
  assert.deepEqual(written, [`${NAME} ready`]);
  await assert.rejects(serve([["ADDED", pod(true)]], refusing(403, 1)), { name: "ApiError", message: "not now" });
});

Deno.test("ready Pods that share the callers are reported once, and again when they are gone", async () => {
  const endpoint = (name: string, conditions = {}) => ({ addresses: ["10.0.0.9"], targetRef: { name }, conditions });
  const original = { endpoints: [endpoint("web-1"), endpoint("web-2", { ready: false }), endpoint("web-3", { terminating: true })] };
  let looks = 0;
  const { others } = await serve([], (request, reply) => {
    if (!request.target.includes("labelSelector=kubernetes.io")) return false;
    const metadata = { name: "web-x" };
    return reply.json(200, { items: ++looks < 3 ? [{ metadata, ...original }] : [{ metadata, endpoints: null }] }).then(() => true);
  }, (_, others) => others.length === 2);
  assert.deepEqual(others, ["web-1", ""]);
});

Deno.test("slices of earlier sessions are marked as being stopped, and the cluster's own are left alone", async () => {
  using server = new ScriptedServer((_, reply) => reply.json(200, {}));
  using api = scriptedApi(server);
  const [ours] = slicesOf(pod(true)) as unknown as EndpointSlice[];
  const theirs = { ...ours!, metadata: { ...ours!.metadata, labels: { "endpointslice.kubernetes.io/managed-by": "x" } } };
  await retireSlices(api, [ours!, theirs], new AbortController().signal);
  assert.equal(server.requests.length, 1);
  const { endpoints } = JSON.parse(server.requests[0]!.body);
  assert.deepEqual(endpoints, [{ ...ours!.endpoints[0], conditions: { ready: false, serving: true, terminating: true } }]);
});

Deno.test("on OpenShift, writing slices with a Pod's address takes another right", async () => {
  for (
    const [openShift, missing, may] of [[false, "restricted", true], [true, "restricted", false], [true, "none", true], [
      false,
      "patch",
      false,
    ]]
  ) {
    using server = new ScriptedServer(({ target, body }, reply) => {
      if (target === "/apis/security.openshift.io") return reply.json(openShift ? 200 : 404, { kind: "Status", message: "no" });
      return reply.json(201, { status: { allowed: !body.includes(`"${missing}"`) } });
    });
    using api = scriptedApi(server);
    assert.equal(await mayWriteSlices(api, "shop", new AbortController().signal), may, `${openShift} ${missing}`);
  }
});
