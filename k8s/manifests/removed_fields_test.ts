import { deepStrictEqual as same, strictEqual } from "node:assert/strict";
import { LAST_APPLIED, type LiveObject, type ManagedFieldsEntry } from "./field_ownership.ts";
import { replacing, withoutRemovedFields } from "./removed_fields.ts";

const ANNOTATION = { "f:annotations": { ".": {}, [`f:${LAST_APPLIED}`]: {} } };
const entry = (manager: string, fieldsV1: ManagedFieldsEntry["fieldsV1"]): ManagedFieldsEntry => ({
  manager,
  operation: manager === "kurun" ? "Apply" : "Update",
  apiVersion: "v1",
  ...fieldsV1 && { fieldsV1 },
});

function object(managedFields: ManagedFieldsEntry[], rest: Record<string, unknown>): LiveObject {
  const metadata = { name: "x", uid: "u", resourceVersion: "1", managedFields, annotations: { [LAST_APPLIED]: "{}" } };
  return { apiVersion: "v1", kind: "Pod", metadata, ...rest };
}

Deno.test("a preview leaves out fields that only kubectl apply owned and the manifest does not have", () => {
  const port = (name: string) => ({ [`k:{"port":${name}}`]: { ".": {}, "f:port": {} } });
  const before = object([
    entry("kubectl-client-side-apply", {
      "f:metadata": ANNOTATION,
      "f:data": { ".": {}, "f:a": {}, "f:b": {}, "f:shared": {} },
      "f:gone": { "f:only": {} },
      "f:spec": { "f:ports": { ".": {}, ...port("1"), ...port("2"), ...port("3") }, "f:set": { 'v:"x"': {}, 'v:"y"': {} } },
    }),
    entry("kurun", { "f:data": { "f:a": {} }, "f:spec": { "f:ports": port("2"), "f:set": { 'v:"y"': {} } } }),
    entry("controller", { "f:data": { "f:shared": {} } }),
  ], {
    data: { a: "1", b: "2", shared: "3", unowned: "4" },
    gone: { only: 1 },
    spec: { ports: [{ port: 1, protocol: "TCP" }, { port: 2 }, { port: 3 }], set: ["x", "y"] },
  });
  const { metadata, data, gone, spec } = withoutRemovedFields(before, "kurun")!;
  same(data, { a: "1", shared: "3", unowned: "4" });
  same(gone, undefined);
  same(spec, { ports: [{ port: 2 }], set: ["y"] });
  same(metadata.annotations, undefined);
  same(metadata.managedFields?.map(({ manager }) => manager), ["kurun", "controller"]);
  strictEqual((before.spec as { ports: unknown[] }).ports.length, 3);
});

Deno.test("an object that kubectl never applied is previewed as the API server's dry run shows it", () => {
  const before = object([entry("kurun", { "f:data": { "f:a": {} } }), entry("kubectl-edit", { "f:data": { "f:b": {} } })], {});
  strictEqual(withoutRemovedFields(before, "kurun"), undefined);
});

Deno.test("the patch for a preview removes these fields and adds those that only the manifest has", () => {
  const before = object([], { data: { a: "1" }, spec: {}, status: {} });
  const left: LiveObject = { ...before, metadata: { ...before.metadata, annotations: {}, labels: { a: "b" } }, data: undefined };
  same(replacing(before, left, { metadata: { name: "x" }, kind: "Secret", stringData: { b: "2" } }), [
    { op: "add", path: "/stringData", value: { b: "2" } },
    { op: "remove", path: "/data" },
    { op: "add", path: "/spec", value: {} },
    { op: "add", path: "/metadata/labels", value: { a: "b" } },
    { op: "add", path: "/metadata/annotations", value: {} },
  ]);
});
