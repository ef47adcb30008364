import assert from "node:assert/strict";
import { ConnectionError } from "../../k8s/api/connection_error.ts";
import { applySetParent } from "../../k8s/manifests/applyset.ts";
import type { PlannedObject } from "../../k8s/manifests/apply_plan.ts";
import { ApiResources } from "../../k8s/manifests/discovery.ts";
import { scriptedApi } from "../../tests/scripted_api.ts";
import { ScriptedServer } from "../../tests/scripted_server.ts";
import { InterruptedError, UserError } from "../command/errors.ts";
import { describeError } from "../describe_error.ts";
import { deletePlanned } from "./delete_command.ts";

/** Deletes a and b, by their manifests or as members of a set, and interrupts at b. @returns the error */
async function interruptedDelete({ dryRun, set }: { dryRun?: "server"; set: boolean }): Promise<unknown> {
  const interrupt = new AbortController();
  const item = (name: string) => ({ metadata: { name, uid: name } });
  using server = new ScriptedServer(({ method, target }, reply) => {
    if (method === "GET") return reply.json(200, { items: [item("a"), item("b")] });
    if (target.includes("/configmaps/a")) return reply.json(200, item("a"));
    return interrupt.abort(new InterruptedError(130));
  });
  using api = scriptedApi(server);
  const context = { stdout() {}, stderr() {}, describe: describeError, interrupted: interrupt.signal };
  const resources = new ApiResources([{ group: "", version: "v1", kind: "ConfigMap", plural: "configmaps", namespaced: true }]);
  const run = { api, context, resources, flags: { dryRun, wait: true } } as unknown as Parameters<typeof deletePlanned>[0];
  const scope = { kinds: new Set(["ConfigMap"]), namespaces: new Set(["x"]) };
  const planned = ["b", "a"].map((name) => ({
    label: `configmap/${name}`,
    path: `/api/v1/namespaces/x/configmaps/${name}`,
    namespace: "x",
    resource: { group: "", kind: "ConfigMap" },
    source: { apiVersion: "v1", kind: "ConfigMap", name },
  })) as unknown as PlannedObject[];
  const known = { parent: applySetParent("shop", "x"), scope };
  return await deletePlanned(run, set ? [] : planned, set ? known : undefined).catch((error) => error);
}

Deno.test("a deletion that is interrupted half-way, of a set too, ends with the signal's exit code and says so", async () => {
  for (const set of [false, true]) {
    const error = await interruptedDelete({ set });
    assert.ok(error instanceof UserError, String(error));
    assert.equal(error.message, "interrupted: the objects above are being deleted, others were not");
    assert.equal(error.exitCode, 130);
  }
});

Deno.test("an interrupted dry run does not say that objects are being deleted", async () => {
  const error = await interruptedDelete({ dryRun: "server", set: false });
  assert.ok(error instanceof ConnectionError && error.kind === "aborted", String(error));
});
