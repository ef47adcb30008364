import assert from "node:assert/strict";
import { scriptedApi } from "../../../tests/scripted_api.ts";
import { type ScriptedReply, ScriptedServer } from "../../../tests/scripted_server.ts";
import { waitForReadyPod } from "./pod_ready.ts";
import type { WaitReason } from "../../workloads/pod_status.ts";
import type { SessionPlan } from "../objects/session_plan.ts";

const PLAN = { name: "web-kurun-bcdfg", namespace: "shop" } as SessionPlan;
/** Longer than the report of a temporary failure is delayed. */
const LONG_ENOUGH_MS = 10_500;

function pod(status: Record<string, unknown>): unknown {
  return { metadata: { name: `${PLAN.name}-1` }, status };
}

const READY = pod({ conditions: [{ type: "Ready", status: "True" }] });
const NO_IMAGE = pod({ containerStatuses: [{ state: { waiting: { reason: "ErrImagePull", message: "no such host" } } }] });
const FAILED_MOUNT = {
  metadata: { name: `${PLAN.name}-1.1`, uid: "event-1" },
  type: "Warning",
  reason: "FailedMount",
  message: 'MountVolume.SetUp failed for volume "session": timed out waiting for the condition',
  involvedObject: { kind: "Pod", name: `${PLAN.name}-1` },
};

async function beginWatch(reply: ScriptedReply): Promise<(object: unknown) => Promise<void>> {
  await reply.write("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n");
  return async (object) => {
    const line = `${JSON.stringify({ type: "ADDED", object })}\n`;
    await reply.write(`${new TextEncoder().encode(line).length.toString(16)}\r\n${line}\r\n`);
  };
}

/** What is reported about a Pod with this status until it is ready, with an event about a failed mount. */
async function told(status: unknown): Promise<string[]> {
  using server = new ScriptedServer(async ({ target }, reply) => {
    const show = await beginWatch(reply);
    if (target.includes("/events")) return await show(FAILED_MOUNT);
    await show(status);
    await new Promise((resolve) => setTimeout(resolve, LONG_ENOUGH_MS));
    await show(READY);
  });
  using api = scriptedApi(server);
  const reasons: string[] = [];
  const observer = { waitingFor: ({ reason }: WaitReason) => void reasons.push(reason), addressed: () => {} };
  await waitForReadyPod(api, PLAN, observer, AbortSignal.timeout(20_000));
  return reasons;
}

Deno.test("a failed mount is reported if the Pod still waits and its status gives no reason", async () => {
  assert.deepEqual(await told(pod({})), ["FailedMount"]);
});

Deno.test("a failed mount is not reported if the Pod's status gives the reason meanwhile", async () => {
  assert.deepEqual(await told(NO_IMAGE), ["ErrImagePull"]);
});
