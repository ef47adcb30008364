import assert from "node:assert/strict";
import { whatKeeps } from "./delete_objects.ts";

Deno.test("what keeps an object are its finalizers, what is left in it, or its time to end", () => {
  assert.equal(whatKeeps({ metadata: { finalizers: ["a/b"] } }), "its finalizers have not ended: a/b");
  const remaining = { type: "NamespaceContentRemaining", status: "True", message: "some pods are left" };
  const fine = { type: "NamespaceDeletionDiscoveryFailure", status: "False", message: "all is well" };
  assert.equal(whatKeeps({ metadata: {}, status: { conditions: [fine, remaining] } }), "some pods are left");
  assert.equal(whatKeeps({ metadata: { deletionGracePeriodSeconds: 30 } }), "it has 30 s to end");
  assert.equal(whatKeeps({ metadata: {} }), undefined);
});
