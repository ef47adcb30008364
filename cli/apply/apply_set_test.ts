import assert from "node:assert/strict";
import { applySetParent } from "../../k8s/manifests/applyset.ts";
import { ApiResources } from "../../k8s/manifests/discovery.ts";
import { scriptedApi } from "../../tests/scripted_api.ts";
import { ScriptedServer } from "../../tests/scripted_server.ts";
import { describeError } from "../describe_error.ts";
import type { ApplyRun } from "./prepare_manifests.ts";
import { InterruptedError, UserError } from "../command/errors.ts";
import type { PlannedObject } from "../../k8s/manifests/apply_plan.ts";
import { applyPrepared } from "./apply_manifests.ts";
import { pruneSet } from "./apply_set.ts";

Deno.test("pruning that fails half-way says what was pruned, and the set forgets no member", async () => {
  const item = (name: string) => ({ metadata: { name, uid: name } });
  using server = new ScriptedServer(({ method, target }, reply) => {
    if (method === "GET") return reply.json(200, { items: [item("a"), item("b")] });
    return target.includes("/configmaps/a")
      ? reply.json(200, {})
      : reply.json(403, { kind: "Status", reason: "Forbidden", message: "you may not" });
  });
  using api = scriptedApi(server);
  let printed = "";
  const run = {
    api,
    context: {
      data: (text: string) => printed += text,
      stdout: (text: string) => printed += text,
      stderr() {},
      describe: describeError,
      interrupted: new AbortController().signal,
    },
    flags: {},
  } as unknown as ApplyRun;
  const all = { kinds: new Set(["ConfigMap"]), namespaces: new Set(["x"]) };
  const resources = new ApiResources([{ group: "", version: "v1", kind: "ConfigMap", plural: "configmaps", namespaced: true }]);
  await assert.rejects(pruneSet(run, { parent: applySetParent("shop", "x"), now: all, all }, resources, new Set()), (error: Error) => {
    assert.match(
      error.message,
      /^pruning the set shop failed half-way: .*you may not(?:.|\n)*\n {2}everything was applied\n {2}pruned: configmap\/a$/,
    );
    return true;
  });
  assert.equal(printed, "configmap/a pruned\n");
  assert.ok(!server.requests.some(({ method }) => method === "PATCH"));
});

Deno.test("an apply that is interrupted half-way ends with the signal's exit code and says what was applied", async () => {
  const interrupt = new AbortController();
  using server = new ScriptedServer(({ target }, reply) => {
    if (target.includes("/configmaps/a")) return reply.json(200, { metadata: { name: "a", uid: "a" } });
    return interrupt.abort(new InterruptedError(130));
  });
  using api = scriptedApi(server);
  const object = (name: string) => ({
    label: `configmap/${name}`,
    path: `/api/v1/namespaces/x/configmaps/${name}`,
    namespace: "x",
    resource: { group: "", kind: "ConfigMap" },
    source: { apiVersion: "v1", kind: "ConfigMap", name },
    body: { apiVersion: "v1", kind: "ConfigMap", metadata: { name } },
  } as unknown as PlannedObject);
  const context = { stdout() {}, stderr() {}, describe: describeError, interrupted: interrupt.signal };
  const run = { api, context, flags: { fieldManager: "kurun" }, namespace: { namespace: "x" }, deliver: () => {} } as unknown as ApplyRun;
  const prepared = { manifests: [], planned: [object("a"), object("b")] } as unknown as Parameters<typeof applyPrepared>[1];
  await assert.rejects(applyPrepared(run, prepared), (error) => {
    assert.ok(error instanceof UserError, String(error));
    assert.match(error.message, /^interrupted\n {2}applied: configmap\/a\n/);
    assert.equal(error.exitCode, 130);
    return true;
  });
});
