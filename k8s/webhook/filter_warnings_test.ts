import assert from "node:assert/strict";
import { filterWarnings } from "./filter_warnings.ts";
import type { Hook } from "./hook_configuration.ts";
import { parseFilter } from "./only_filter.ts";

/** A webhook that is called for some resources. */
function hook(operations: string[], apiGroups: string[], ...resources: string[]): Hook {
  return { name: "a.b.c", rules: [{ operations, apiGroups, apiVersions: ["*"], resources }] } as unknown as Hook;
}

Deno.test("a filter by user warns of what controllers create, if the webhooks are called for it", () => {
  const missed = (only: string[], ...hooks: Hook[]) => /create: (.*);/.exec(filterWarnings(parseFilter(only), hooks)[0] ?? "")?.[1];
  assert.equal(
    missed(["user=alice"], hook(["CREATE"], [""], "pods"), hook(["*"], ["apps"], "*")),
    "Pods of workloads, ReplicaSets, ControllerRevisions",
  );
  assert.equal(missed(["user=alice", "kind=Event"], hook(["*"], ["*"], "*/*")), "Events");
  assert.equal(missed(["user=alice", "kind=replicasets"], hook(["*"], ["*"], "*/*")), "ReplicaSets");
  assert.equal(missed(["user=alice", "kind=Deployment"], hook(["*"], ["*"], "*")), undefined);
  assert.equal(missed(["user=alice"], hook(["UPDATE", "DELETE"], [""], "pods"), hook(["CREATE"], [""], "pods/exec")), undefined);
  assert.equal(missed(["user=alice", "user=system:serviceaccount:kube-system:*"], hook(["*"], ["*"], "*")), undefined);
  assert.equal(missed(["namespace=dev"], hook(["*"], ["*"], "*")), undefined);
});

Deno.test("a resource that no webhook is called for is named", () => {
  const uncalled = (kind: string, ...hooks: Hook[]) => filterWarnings(parseFilter([`kind=${kind}`]), hooks).length === 1;
  const pods = hook(["CREATE"], [""], "pods", "deployments/scale");
  for (const kind of ["deployment.apps", "services", "pods.apps", "pods/exec", "deployments/status"]) assert.ok(uncalled(kind, pods), kind);
  for (const kind of ["pods", "Service", "deployments", "deployments/scale"]) assert.ok(!uncalled(kind, pods), kind);
  for (const rule of ["*/*", "pods/*", "*/exec"]) assert.ok(!uncalled("pods/exec", hook(["*"], ["*"], rule)), rule);
  assert.ok(uncalled("pods/exec", hook(["*"], ["*"], "*")));
});

Deno.test("a --match that fails for some requests is warned of, and one that tests first is not", () => {
  const warned = (match: string, operation = "CREATE") =>
    /fails (.*), and .* begin it with (.*)$/.exec(filterWarnings(parseFilter([], match), [hook([operation], [""], "pods")])[0] ?? "")
      ?.slice(1);
  assert.deepEqual(warned("object.metadata.labels.app == 'web'"), ["for objects without labels", "has(object.metadata.labels) &&"]);
  assert.deepEqual(warned("'x' in object.metadata.annotations"), [
    "for objects without annotations",
    "has(object.metadata.annotations) &&",
  ]);
  assert.deepEqual(warned("object.metadata.name == 'web'", "DELETE"), ["for DELETE, where object is null", "object != null &&"]);
  assert.equal(warned("has(object.metadata.labels) && 'app' in object.metadata.labels"), undefined);
  for (
    const match of [
      "object != null && object.metadata.name == 'web'",
      "oldObject != null && oldObject.metadata.name == 'a'",
      "request.operation == 'CREATE' && object.spec.x",
    ]
  ) {
    assert.equal(warned(match, "*"), undefined, match);
  }
});
