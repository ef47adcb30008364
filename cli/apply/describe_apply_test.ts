import assert from "node:assert/strict";
import { ApiError } from "../../k8s/api/api_error.ts";
import { ConnectionError } from "../../k8s/api/connection_error.ts";
import type { PlannedObject } from "../../k8s/manifests/apply_plan.ts";
import { readObjects } from "../../k8s/manifests/manifest_objects.ts";
import { readManifest } from "../../k8s/manifests/manifest_text.ts";
import { type FieldConflict, FieldConflictError } from "../../k8s/manifests/server_side_apply.ts";
import { describeError } from "../describe_error.ts";
import { describeNotApplied, describeOutcome } from "./describe_apply.ts";

/** The message for an object that the API server refuses because of these fields. */
function refused(kind: string, causes: { field: string; message: string }[], manifest = ""): string {
  const [source] = readObjects(readManifest(`apiVersion: v1\nkind: ${kind}\nmetadata: {name: x}\n${manifest}`)).objects;
  const object = { source: { ...source!, file: "a.yaml" }, label: `${kind.toLowerCase()}/x`, namespace: "n" } as PlannedObject;
  const message = `${kind} "x" is invalid: ${causes.map(({ field, message }) => `${field}: ${message}`).join(", ")}`;
  return describeNotApplied(object, new ApiError(message, { status: 422, reason: "Invalid", details: { causes } }), describeError);
}

const STRUCT = `core.PodTemplateSpec{ObjectMeta:v1.ObjectMeta{Name:"", ${"Labels:map[string]string(nil), ".repeat(80)}}}`;
/** Kinds, fields, the API server's messages (v1.34) about immutable fields, and what kurun prints of them. */
const IMMUTABLE: readonly [string, string, string, string][] = [
  ["Job", "spec.template", `Invalid value: ${STRUCT}: field is immutable`, "spec.template: field is immutable"],
  ["Deployment", "spec.selector", 'Invalid value: {"matchLabels":{"a":"b"}}: field is immutable', "spec.selector: field is immutable"],
  ["Service", "spec.clusterIPs[0]", 'Invalid value: ["None"]: may not change once set', "spec.clusterIPs[0]: may not change once set"],
  [
    "PersistentVolumeClaim",
    "spec",
    "Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims\n  core.X{\n- a\n",
    "spec: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims",
  ],
  [
    "StatefulSet",
    "spec",
    "Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy' are forbidden",
    "spec: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy' are forbidden",
  ],
  ["Secret", "data", "Forbidden: field is immutable when `immutable` is set", "data: field is immutable when `immutable` is set"],
  ["RoleBinding", "roleRef", `Invalid value: rbac.RoleRef{Name:"a"}: cannot change roleRef`, "roleRef: cannot change roleRef"],
  [
    "Pod",
    "spec",
    "Forbidden: pod updates may not change fields other than `spec.containers[*].image`\n  core.PodSpec{\n",
    "spec: pod updates may not change fields other than `spec.containers[*].image`",
  ],
  ["StorageClass", "parameters", "Forbidden: updates to parameters are forbidden.", "parameters: updates to parameters are forbidden."],
];

Deno.test("an immutable field is reported in three lines with what to do, whatever the kind", () => {
  for (const [kind, field, message, reason] of IMMUTABLE) {
    const [first, second, third, ...more] = refused(kind, [{ field, message }]).split("\n");
    assert.match(first!, /^error: a\.yaml:\d+:\d+: \w+\/x: /);
    assert.ok(first!.endsWith(`: ${reason}`), first);
    const data = ["PersistentVolumeClaim", "StatefulSet"].includes(kind) ? " (this can lose its data)" : "";
    assert.equal(second, `  Delete the object${data} and apply again: kubectl delete ${kind.toLowerCase()}/x -n n`);
    assert.deepEqual([third, more], ["  Or give it another metadata.name", []]);
  }
});

Deno.test("any other refusal keeps its text, without long Go values", () => {
  assert.equal(
    refused("Service", [{ field: "spec.ports[0].port", message: "Invalid value: 99999: must be between 1 and 65535, inclusive" }]),
    'error: a.yaml:1:1: service/x: Error from server (Invalid): Service "x" is invalid: spec.ports[0].port: Invalid value: 99999: ' +
      "must be between 1 and 65535, inclusive",
  );
  assert.equal(
    refused("Job", [{ field: "spec.template", message: `Invalid value: ${STRUCT}: is wrong` }]),
    'error: a.yaml:1:1: job/x: Error from server (Invalid): Job "x" is invalid: spec.template: is wrong',
  );
});

Deno.test("a refusal is reported at the line of its field", () => {
  const spec = "spec:\n  containers:\n  - name: c\n    env:\n    - {name: MODE}\n    - {name: MODE}\n    replicsa: 1\n";
  assert.match(refused("Pod", [{ field: "spec.containers[0].env[1].name", message: "Duplicate value" }], spec), /^error: a\.yaml:9:8: /);
  const [source] = readObjects(readManifest(`apiVersion: v1\nkind: Pod\nmetadata: {name: x}\n${spec}`)).objects;
  const object = { source: { ...source!, file: "a.yaml" }, label: "pod/x" } as PlannedObject;
  const told = (message: string) => describeNotApplied(object, new ApiError(message, { status: 500 }), describeError).split(" ")[1];
  const failed = "failed to create typed patch object (n/x; v1, Kind=Pod): ";
  assert.equal(told(`${failed}.spec.containers[name="c"].env: duplicate entries for key [name="MODE"]`), "a.yaml:9:7:");
  assert.equal(told(`${failed}.spec.containers[name="c"].replicsa: field not declared in schema`), "a.yaml:10:5:");
  assert.equal(told('strict decoding error: unknown field "spec.containers[0].replicsa"'), "a.yaml:10:5:");
  assert.equal(told("no field at all"), "a.yaml:1:1:");
});

Deno.test("a conflict names each manager with its fields and says what to do", () => {
  const [source] = readObjects(readManifest("apiVersion: v1\nkind: Pod\nmetadata: {name: x}\n")).objects;
  const object = { source: { ...source!, file: "a.yaml" }, label: "pod/x" } as PlannedObject;
  const told = (...conflicts: FieldConflict[]) => describeNotApplied(object, new FieldConflictError(conflicts), describeError);
  assert.equal(
    told({ field: ".spec.a", manager: "helm" }, { field: ".spec.b", manager: "hpa" }, { field: ".spec.c", manager: "helm" }),
    "error: a.yaml:1:1: pod/x: fields have another value, set by another manager:\n  helm owns .spec.a, .spec.c\n  hpa owns .spec.b\n" +
      "  Remove them from the manifest, or take them over with --force-conflicts",
  );
  assert.match(told({ field: ".spec.a", manager: "helm" }), /: a field has another value, .*\n {2}helm owns \.spec\.a\n {2}Remove it from/);
});

Deno.test("an object whose request was under way when the connection broke is reported as unknown", () => {
  const object = (label: string) => ({ label }) as PlannedObject;
  const text = describeOutcome({
    applied: new Map(),
    failed: [],
    unsure: object("configmap/a"),
    untried: [object("configmap/b")],
    ended: new ConnectionError("aborted", { address: "", detail: "" }),
  }, () => assert.fail("an interruption has its own words"));
  assert.equal(
    text,
    "interrupted\n  nothing was applied\n  unknown, because no answer came: configmap/a\n  not attempted: configmap/b",
  );
});
