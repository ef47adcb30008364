import assert from "node:assert/strict";
import { objectServer } from "../../tests/object_server.ts";
import { scriptedApi } from "../../tests/scripted_api.ts";
import { ScriptedServer } from "../../tests/scripted_server.ts";
import { stopOne } from "./stop_command.ts";

Deno.test("a stop that is interrupted while objects remain is no success", async () => {
  const interrupt = new AbortController();
  using server = new ScriptedServer(async ({ method }, reply) => {
    await reply.json(200, { metadata: { ownerReferences: [{ uid: "job-1" }] } });
    if (method === "GET") interrupt.abort(new Error("interrupted"));
  });
  using api = scriptedApi(server);
  const said: string[] = [];
  const say = (text: string) => void said.push(text);
  const session = { namespace: "dev", name: "web-kurun-bcdfg", uid: "job-1", service: "web" };
  await assert.rejects(stopOne({ stdout: say, stderr: say, interrupted: interrupt.signal }, api, session), /^Error: interrupted$/);
  assert.deepEqual(said, ["session/web stopped\n", "The cluster is still removing what session web-kurun-bcdfg created\n"]);
});

Deno.test("a webhook session is stopped without the right to its configurations, and what is left is said", async () => {
  const job = "/apis/batch/v1/namespaces/dev/jobs/web-kurun-bcdfg";
  const objects = new Map<string, unknown>([[job, { metadata: { uid: "job-1" } }]]);
  using server = objectServer(objects, ({ target }) => target.includes("admissionregistration") ? 403 : undefined);
  using api = scriptedApi(server);
  const said: string[] = [];
  const say = (text: string) => void said.push(text);
  const session = { namespace: "dev", name: "web-kurun-bcdfg", uid: "job-1", service: "web", serves: "" };
  await stopOne({ stdout: say, stderr: say, interrupted: new AbortController().signal }, api, session);
  assert.equal(objects.size, 0);
  assert.match(said[0]!, /^Warning: .* may be left: kurun cleanup removes it: .*403/);
  assert.equal(said[1], "session/web stopped\n");
});
