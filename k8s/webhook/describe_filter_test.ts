import assert from "node:assert/strict";
import { describeFilter, missesControllers } from "./describe_filter.ts";
import type { Hook } from "./hook_configuration.ts";
import { parseFilter } from "./only_filter.ts";

Deno.test("a filter is described in the order of a sentence", () => {
  const only = ["user=alice", "namespace=dev-*", "namespace=test", "kind=Pod", "label=app=web", "label=tier", "name=web-*"];
  assert.equal(
    describeFilter(parseFilter(only, "object != null")),
    "Pod named web-* with app=web, tier in dev-* or test by alice where object != null",
  );
  assert.equal(describeFilter(parseFilter([])), "");
});

/** A webhook that is called for some resources. */
function hook(operations: string[], apiGroups: string[], ...resources: string[]): Hook {
  return { name: "a.b.c", rules: [{ operations, apiGroups, apiVersions: ["*"], resources }] } as unknown as Hook;
}

Deno.test("a filter by user warns of what controllers create, if the webhooks are called for it", () => {
  const missed = (only: string[], ...hooks: Hook[]) => /create: (.*);/.exec(missesControllers(parseFilter(only), hooks) ?? "")?.[1];
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
