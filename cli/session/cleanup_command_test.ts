import assert from "node:assert/strict";
import { objectServer } from "../../tests/object_server.ts";
import { scriptedApi } from "../../tests/scripted_api.ts";
import { hookPath } from "../../k8s/webhook/hook_configuration.ts";
import type { SessionMark } from "../../k8s/webhook/session_marks.ts";
import { removeMarks } from "./cleanup_command.ts";

Deno.test("a configuration that the user may not remove is named, and the next one is removed", async () => {
  const kind = "ValidatingWebhookConfiguration";
  const objects = new Map<string, unknown>(["a", "b"].map((name) => [hookPath(kind, name), { metadata: { name, uid: name } }]));
  using server = objectServer(objects, ({ target }) => target.endsWith("/a") ? 403 : undefined);
  using api = scriptedApi(server);
  const marks = ["a", "b"].map((name): SessionMark => ({ is: "copy", kind, name, uid: name, session: { namespace: "dev", name: "s" } }));
  const said: string[] = [];
  const say = (text: string) => void said.push(text);
  const context = { stdout: say, stderr: say, interrupted: new AbortController().signal };
  await removeMarks(context, api, marks, false);
  assert.deepEqual([...objects.keys()], [hookPath(kind, "a")]);
  assert.match(said[0]!, /^Warning: validatingwebhookconfiguration\/a could not be removed: .*403/);
  assert.equal(said[1], "validatingwebhookconfiguration/b removed: session s in namespace dev is gone\n");
});
