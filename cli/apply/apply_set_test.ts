import assert from "node:assert/strict";
import { applySetParent } from "../../k8s/manifests/applyset.ts";
import { ApiResources } from "../../k8s/manifests/discovery.ts";
import { scriptedApi } from "../../tests/scripted_api.ts";
import { ScriptedServer } from "../../tests/scripted_server.ts";
import { describeError } from "../describe_error.ts";
import type { ApplyRun } from "./prepare_manifests.ts";
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
