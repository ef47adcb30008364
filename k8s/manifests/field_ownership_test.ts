import assert from "node:assert/strict";
import { isKubectl, isPredecessor, type ManagedFieldsEntry, moveFields, union } from "./field_ownership.ts";

const APPLIED = { "f:metadata": { "f:annotations": { ".": {}, "f:kubectl.kubernetes.io/last-applied-configuration": {} } } };
const client = (manager: string, fieldsV1 = {}, apiVersion = "apps/v1"): ManagedFieldsEntry => ({
  manager,
  operation: "Update",
  apiVersion,
  fieldsV1: { ...APPLIED, ...fieldsV1 },
});

Deno.test("the union has the fields of both sets, also if one has a field and the other fields inside it", () => {
  assert.deepEqual(union({ "f:a": { "f:b": {} }, "f:c": {} }, { "f:a": { "f:d": {} }, "f:e": {} }), {
    "f:a": { "f:b": {}, "f:d": {} },
    "f:c": {},
    "f:e": {},
  });
  assert.deepEqual(union({ "f:a": {} }, { "f:a": { "f:b": {} } }), { "f:a": { ".": {}, "f:b": {} } });
  assert.deepEqual(union({ "f:a": { ".": {} } }, { "f:a": {} }), { "f:a": { ".": {} } });
});

Deno.test("the applier takes over what kubectl apply owned, and others keep their fields", () => {
  const controller = { manager: "kube-controller-manager", operation: "Update", subresource: "status", fieldsV1: { "f:status": {} } };
  const edited = { manager: "kubectl-edit", operation: "Update", apiVersion: "apps/v1", fieldsV1: { "f:spec": { "f:paused": {} } } };
  const fields = { "f:spec": { "f:replicas": {} } };
  assert.deepEqual(moveFields([controller, client("kubectl-client-side-apply", fields), edited], isPredecessor, "kurun"), [
    controller,
    { manager: "kurun", operation: "Apply", apiVersion: "apps/v1", fieldsV1: { ...APPLIED, ...fields } },
    edited,
  ]);
});

Deno.test("an existing entry of the applier gets the fields too; those of another version are dropped", () => {
  const own = { manager: "kurun", operation: "Apply", apiVersion: "apps/v1", fieldsV1: { "f:spec": { "f:template": {} } } };
  const old = client("kubectl-client-side-apply", { "f:spec": { "f:old": {} } }, "apps/v1beta1");
  const now = client("kubectl-client-side-apply", { "f:spec": { "f:replicas": {} } });
  assert.deepEqual(moveFields([now, old, own], isPredecessor, "kurun"), [
    { ...own, fieldsV1: { "f:spec": { "f:template": {}, "f:replicas": {} }, ...APPLIED } },
  ]);
});

Deno.test("the applier also takes over what kubectl apply --server-side owned, unless the applier is kubectl", () => {
  const kubectl = { manager: "kubectl", operation: "Apply", apiVersion: "v1", fieldsV1: { "f:spec": { "f:type": {} } } };
  assert.deepEqual(moveFields([kubectl], isPredecessor, "kurun"), [{ ...kubectl, manager: "kurun" }]);
  assert.equal(moveFields([kubectl], isPredecessor, "kubectl"), undefined);
});

Deno.test("fields of kubectl create are taken only if they must be replaced, and those of kubectl edit never", () => {
  const edited = { manager: "kubectl-edit", operation: "Update", apiVersion: "v1", fieldsV1: { "f:spec": { "f:paused": {} } } };
  const created = { manager: "kubectl-create", operation: "Update", apiVersion: "v1", fieldsV1: { "f:spec": { "f:type": {} } } };
  assert.equal(moveFields([edited, created], isPredecessor, "kurun"), undefined);
  assert.equal(moveFields([edited], isKubectl, "kurun"), undefined);
  assert.deepEqual(moveFields([edited, created], isKubectl, "kurun"), [edited, { ...created, manager: "kurun", operation: "Apply" }]);
  assert.deepEqual([edited, created].filter((entry) => isKubectl(entry, "kurun")), [created]);
});
