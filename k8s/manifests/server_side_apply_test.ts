import assert from "node:assert/strict";
import { scriptedApi } from "../../tests/scripted_api.ts";
import { ScriptedServer } from "../../tests/scripted_server.ts";
import { applyObject, FieldConflictError, PreviewError, type ServerSideApply } from "./server_side_apply.ts";

const PATH = "/apis/apps/v1/namespaces/x/deployments/web";
const BODY = { metadata: { name: "web" } };
const OPTIONS: ServerSideApply = {
  fieldManager: "kurun",
  force: false,
  dryRun: false,
  validation: "Strict",
  signal: new AbortController().signal,
};
const LAST_APPLIED = { "f:metadata": { "f:annotations": { "f:kubectl.kubernetes.io/last-applied-configuration": {} } } };
const live = (...managers: string[]) => ({
  metadata: {
    name: "web",
    resourceVersion: "7",
    managedFields: managers.map((manager) => ({
      manager,
      operation: manager === "kurun" ? "Apply" : "Update",
      apiVersion: "apps/v1",
      fieldsV1: LAST_APPLIED,
    })),
  },
});
const conflict = (...managers: string[]) => ({
  kind: "Status",
  status: "Failure",
  reason: "Conflict",
  message: "Apply failed",
  details: {
    causes: managers.map((manager) => ({
      reason: "FieldManagerConflict",
      message: `conflict with "${manager}" using apps/v1`,
      field: `.spec.${manager}`,
    })),
  },
  code: 409,
});

/** Answers the requests in this order. */
function answering(...answers: [number, unknown][]): ScriptedServer {
  let next = 0;
  return new ScriptedServer((_, reply) => reply.json(...answers[next++] ?? [500, {}] as [number, unknown]));
}

/** The requests as short words. */
function requests(server: ScriptedServer): string[] {
  return server.requests.map(({ method, target, headers }) => {
    const { searchParams } = new URL(target, "http://a");
    const words = [
      method,
      headers["content-type"]?.replace(/^application\/|(?:-patch)?\+.*$/g, ""),
      searchParams.has("force") ? "force" : undefined,
    ];
    return words.filter((word) => word).join(" ");
  });
}

Deno.test("an object that nobody else manages takes one request", async () => {
  using server = answering([201, live("kurun")]);
  using api = scriptedApi(server);
  await applyObject(api, PATH, BODY, OPTIONS);
  assert.deepEqual(requests(server), ["PATCH apply"]);
  assert.equal(server.requests[0]!.target, `${PATH}?fieldManager=kurun&fieldValidation=Strict`);
});

Deno.test("a conflict with kubectl apply is resolved: its fields are moved at the resourceVersion seen, and the object is applied again", async () => {
  using server = answering([409, conflict("kubectl-client-side-apply")], [200, live("kubectl-client-side-apply")], [200, {}], [
    200,
    live("kurun"),
  ]);
  using api = scriptedApi(server);
  await applyObject(api, PATH, BODY, OPTIONS);
  assert.deepEqual(requests(server), ["PATCH apply", "GET", "PATCH json", "PATCH apply"]);
  assert.deepEqual(JSON.parse(server.requests[2]!.body), [
    {
      op: "replace",
      path: "/metadata/managedFields",
      value: [{ manager: "kurun", operation: "Apply", apiVersion: "apps/v1", fieldsV1: LAST_APPLIED }],
    },
    { op: "replace", path: "/metadata/resourceVersion", value: "7" },
  ]);
});

Deno.test("moving fields is retried after a concurrent change", async () => {
  const faster = { kind: "Status", status: "Failure", reason: "Conflict", message: "the object has been modified", code: 409 };
  const old = live("kubectl-client-side-apply");
  using server = answering([200, old], [409, faster], [200, { ...old, metadata: { ...old.metadata, resourceVersion: "8" } }], [200, {}], [
    200,
    live("kurun"),
  ]);
  using api = scriptedApi(server);
  await applyObject(api, PATH, BODY, OPTIONS);
  assert.deepEqual(requests(server), ["PATCH apply", "PATCH json", "GET", "PATCH json", "PATCH apply"]);
  assert.equal(JSON.parse(server.requests[3]!.body)[1].value, "8");
});

Deno.test("a conflict that involves another manager changes nothing and names only that manager", async () => {
  using server = answering([409, conflict("kubectl-client-side-apply", "hpa 1")], [
    200,
    live("kubectl-client-side-apply"),
  ]);
  using api = scriptedApi(server);
  const error = await applyObject(api, PATH, BODY, OPTIONS).then(() => undefined, (error) => error);
  assert.ok(error instanceof FieldConflictError);
  assert.deepEqual(error.conflicts, [{ field: ".spec.hpa 1", manager: "hpa 1" }]);
  assert.deepEqual(requests(server), ["PATCH apply", "GET"]);
});

Deno.test("a dry run moves nothing, and shows the future object", async () => {
  using server = answering([409, conflict("kubectl-client-side-apply")], [200, live("kubectl-client-side-apply")], [
    200,
    live("kubectl-client-side-apply"),
  ], [200, live("kubectl-client-side-apply")]);
  using api = scriptedApi(server);
  const { body } = await applyObject(api, PATH, BODY, { ...OPTIONS, dryRun: true });
  assert.deepEqual(body.metadata.managedFields, []);
  assert.deepEqual(requests(server), ["PATCH apply", "GET", "PATCH apply force", "PATCH json"]);
  assert.ok(server.requests.filter(({ method }) => method === "PATCH").every(({ target }) => target.includes("dryRun=All")));
});

Deno.test("an object is applied once more if its fields were moved and the answer was lost", async () => {
  // The patch that moves the fields is sent twice if its connection breaks: the second one conflicts with the first.
  using server = answering([200, live("kubectl-client-side-apply")], [409, { kind: "Status", code: 409 }], [200, live("kurun")], [
    200,
    live("kurun"),
  ]);
  using api = scriptedApi(server);
  await applyObject(api, PATH, BODY, OPTIONS);
  assert.deepEqual(requests(server), ["PATCH apply", "PATCH json", "GET", "PATCH apply"]);
});

const INVALID = { kind: "Status", status: "Failure", reason: "Invalid", message: 'Service "web" is invalid: Duplicate value', code: 422 };

Deno.test("an object that is invalid only together with kubectl's items is applied after taking them over", async () => {
  for (const manager of ["kubectl-client-side-apply", "kubectl-create"]) {
    using server = answering([422, INVALID], [200, live(manager)], [200, {}], [200, live("kurun")]);
    using api = scriptedApi(server);
    await applyObject(api, PATH, BODY, OPTIONS);
    assert.deepEqual(requests(server), ["PATCH apply", "GET", "PATCH json", "PATCH apply"]);
    const [{ value }] = JSON.parse(server.requests[2]!.body);
    assert.deepEqual(value.map((entry: { manager: string }) => entry.manager), ["kurun"]);
  }
});

Deno.test("an object that stays invalid leaves kubectl its fields", async () => {
  const before = live("kubectl-client-side-apply");
  using server = answering([422, INVALID], [200, before], [200, {}], [422, { ...INVALID, message: "really" }], [200, {}]);
  using api = scriptedApi(server);
  await assert.rejects(applyObject(api, PATH, BODY, OPTIONS), /really/);
  assert.deepEqual(requests(server), ["PATCH apply", "GET", "PATCH json", "PATCH apply", "PATCH json"]);
  assert.deepEqual(JSON.parse(server.requests[4]!.body)[0].value, before.metadata.managedFields);
});

Deno.test("an invalid object that is new or has others' fields fails with the API server's error; a dry run says that it cannot show it", async () => {
  const edited = { metadata: { managedFields: [{ manager: "somebody", operation: "Update" }] } };
  using others = answering([422, INVALID], [200, edited]);
  using othersApi = scriptedApi(others);
  await assert.rejects(applyObject(othersApi, PATH, BODY, OPTIONS), /Duplicate value/);
  using none = answering([422, INVALID], [404, { kind: "Status", reason: "NotFound", message: "none" }]);
  using noneApi = scriptedApi(none);
  await assert.rejects(applyObject(noneApi, PATH, BODY, OPTIONS), /Duplicate value/);
  using dry = answering([422, INVALID], [200, live("kubectl-client-side-apply")]);
  using dryApi = scriptedApi(dry);
  await assert.rejects(applyObject(dryApi, PATH, BODY, { ...OPTIONS, dryRun: true }), PreviewError);
});
