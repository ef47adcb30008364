import assert from "node:assert/strict";
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
