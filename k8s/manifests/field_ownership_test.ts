import assert from "node:assert/strict";
import { type ManagedFieldsEntry, union, withoutClientSideManagers } from "./field_ownership.ts";

const APPLIED = { "f:metadata": { "f:annotations": { ".": {}, "f:kubectl.kubernetes.io/last-applied-configuration": {} } } };
const client = (manager: string, fieldsV1 = {}, apiVersion = "apps/v1"): ManagedFieldsEntry => ({
  manager,
  operation: "Update",
  apiVersion,
  fieldsV1: { ...APPLIED, ...fieldsV1 },
});

Deno.test("fields of both sets are in the union, where one has a field and the other what is inside of it too", () => {
  assert.deepEqual(union({ "f:a": { "f:b": {} }, "f:c": {} }, { "f:a": { "f:d": {} }, "f:e": {} }), {
    "f:a": { "f:b": {}, "f:d": {} },
    "f:c": {},
    "f:e": {},
  });
  assert.deepEqual(union({ "f:a": {} }, { "f:a": { "f:b": {} } }), { "f:a": { ".": {}, "f:b": {} } });
  assert.deepEqual(union({ "f:a": { ".": {} } }, { "f:a": {} }), { "f:a": { ".": {} } });
});

Deno.test("what kubectl apply owned becomes the applier's, and others keep theirs", () => {
  const controller = { manager: "kube-controller-manager", operation: "Update", subresource: "status", fieldsV1: { "f:status": {} } };
  const edited = { manager: "kubectl-edit", operation: "Update", apiVersion: "apps/v1", fieldsV1: { "f:spec": { "f:paused": {} } } };
  const fields = { "f:spec": { "f:replicas": {} } };
  assert.deepEqual(withoutClientSideManagers([controller, client("kubectl-client-side-apply", fields), edited], "kurun"), [
    controller,
    { manager: "kurun", operation: "Apply", apiVersion: "apps/v1", fieldsV1: { ...APPLIED, ...fields } },
    edited,
  ]);
});

Deno.test("an applier that is there already gets the fields too, those of another version are dropped", () => {
  const own = { manager: "kurun", operation: "Apply", apiVersion: "apps/v1", fieldsV1: { "f:spec": { "f:template": {} } } };
  const old = client("kubectl-client-side-apply", { "f:spec": { "f:old": {} } }, "apps/v1beta1");
  const now = client("kubectl-client-side-apply", { "f:spec": { "f:replicas": {} } });
  assert.deepEqual(withoutClientSideManagers([now, old, own], "kurun"), [
    { ...own, fieldsV1: { "f:spec": { "f:template": {}, "f:replicas": {} }, ...APPLIED } },
  ]);
});

Deno.test("an Update that is not kubectl apply's is nobody's to take", () => {
  assert.equal(
    withoutClientSideManagers([{ manager: "kubectl-client-side-apply", operation: "Update", fieldsV1: { "f:spec": {} } }], "kurun"),
    undefined,
  );
  assert.equal(withoutClientSideManagers([{ ...client("kubectl"), operation: "Apply" }], "kurun"), undefined);
});
