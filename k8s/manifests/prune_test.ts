import assert from "node:assert/strict";
import { scriptedApi } from "../../tests/scripted_api.ts";
import { ScriptedServer } from "../../tests/scripted_server.ts";
import { applySetParent } from "./applyset.ts";
import { ApiResources } from "./discovery.ts";
import { findOrphans } from "./prune.ts";

const PARENT = applySetParent("shop", "x");
const scope = (...kinds: string[]) => ({ kinds: new Set(kinds), namespaces: new Set(["x"]) });
const signal = new AbortController().signal;

Deno.test("members of a kind whose server does not answer now are not forgotten: that is an error, and a kind that is gone is none", async () => {
  using server = new ScriptedServer((_, reply) => reply.json(200, { items: [] }));
  using api = scriptedApi(server);
  const resources = new ApiResources([{ group: "", version: "v1", kind: "ConfigMap", plural: "configmaps", namespaced: true }], [
    "silent.example",
  ]);
  const find = (...kinds: string[]) => findOrphans(api, PARENT, scope(...kinds), resources, new Set(), signal);
  await assert.rejects(find("ConfigMap", "Cron.silent.example"), {
    name: "ApplySetError",
    message: "the set shop has Cron.silent.example, and the API server of silent.example does not answer",
  });
  assert.deepEqual(await find("ConfigMap", "Cron.gone.example"), { orphans: [], gone: ["Cron.gone.example"] });
});
