import assert from "node:assert/strict";
import { scriptedApi } from "../../../tests/scripted_api.ts";
import { type ScriptedReply, ScriptedServer } from "../../../tests/scripted_server.ts";
import { waitForPodEnd } from "./run_pod_end.ts";
import type { SessionPlan } from "../objects/session_plan.ts";

const PLAN = { name: "words", namespace: "shop" } as SessionPlan;

async function tell(reply: ScriptedReply, type: string, metadata: Record<string, string>): Promise<void> {
  const line = `${JSON.stringify({ type, object: { metadata, status: { phase: "Running" } } })}\n`;
  await reply.write(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${line.length.toString(16)}\r\n${line}\r\n0\r\n\r\n`);
}

/** The versions that the watches started from. */
function versions({ requests }: ScriptedServer): (string | null)[] {
  return requests.map(({ target }) => new URL(target, "http://x").searchParams.get("resourceVersion"));
}

Deno.test("a Pod that is deleted between two watches is reported: the next watch continues where the last one ended", async () => {
  const told = [["7", "ADDED"], ["9", "BOOKMARK"], ["9", "ERROR"], ["10", "DELETED"]] as const;
  using server: ScriptedServer = new ScriptedServer((_, reply) => {
    const [resourceVersion, type] = told[server.requests.length - 1]!;
    return tell(reply, type, { resourceVersion });
  });
  using api = scriptedApi(server);
  assert.deepEqual(await waitForPodEnd(api, PLAN, new AbortController().signal), { kind: "deleted", message: "" });
  assert.deepEqual(versions(server), [null, "7", "9", null]);
});

Deno.test("a watch that is refused for a moment continues afterwards", async () => {
  using server: ScriptedServer = new ScriptedServer((_, reply) => {
    if (server.requests.length === 2) return reply.json(403, { kind: "Status", message: "no", reason: "Forbidden" });
    return tell(reply, server.requests.length === 1 ? "ADDED" : "DELETED", { resourceVersion: "7" });
  });
  using api = scriptedApi(server);
  assert.deepEqual(await waitForPodEnd(api, PLAN, new AbortController().signal), { kind: "deleted", message: "" });
  assert.deepEqual(versions(server), [null, "7", "7"]);
});

Deno.test("a watch that is refused from the start fails", async () => {
  using server = new ScriptedServer((_, reply) => reply.json(403, { kind: "Status", message: "no", reason: "Forbidden" }));
  using api = scriptedApi(server);
  await assert.rejects(waitForPodEnd(api, PLAN, new AbortController().signal), { name: "ApiError", message: "no" });
});
