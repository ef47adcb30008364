import assert from "node:assert/strict";
import { objectServer } from "../../tests/object_server.ts";
import { scriptedApi } from "../../tests/scripted_api.ts";
import type { Definition } from "../api/kubernetes_objects.ts";
import { type Conversion, CONVERSION_BEFORE, conversionRecord, definitionPath } from "./conversion.ts";
import { findHookLeftovers, findMarks } from "./find_leftovers.ts";
import { removeMark } from "./remove_leftovers.ts";
import { ConversionTakenError, countObjects, putConversionsBack, serveConversions } from "./serve_conversion.ts";

const { signal } = new AbortController();
const TARGET = { plan: { name: "hook-kurun-bcdfg", namespace: "dev", service: "hook" }, caPem: "PEM" };
const OTHER = { ...TARGET, plan: { ...TARGET.plan, name: "other" } };
const ORIGINAL: Conversion = {
  strategy: "Webhook",
  webhook: {
    conversionReviewVersions: ["v1"],
    clientConfig: { service: { namespace: "system", name: "operator", path: "/convert", port: 9443 }, caBundle: btoa("THEIR CA") },
  },
};
const JOB = "/apis/batch/v1/namespaces/dev/jobs/hook-kurun-bcdfg";
const OURS = { namespace: "dev", name: "hook", port: 443, path: "/convert" };
const MANAGER = { manager: "helm", operation: "Update" };
const NONE: Conversion = { strategy: "None" };

function definition(conversion: Conversion, annotations?: Record<string, string>, name = "guestbooks.example.com") {
  const versions = ["v1", "v2"].map((name, at) => ({ name, served: true, storage: at === 0 }));
  return {
    metadata: { name, uid: name, resourceVersion: "7", managedFields: [MANAGER], ...(annotations ? { annotations } : {}) },
    spec: { group: "example.com", names: { plural: "guestbooks", kind: "Guestbook" }, scope: "Namespaced", versions, conversion },
  };
}

/** A cluster with definitions. */
function cluster(...definitions: ReturnType<typeof definition>[]) {
  const objects = new Map<string, ReturnType<typeof definition>>(definitions.map((one) => [definitionPath(one.metadata.name), one]));
  const get = (name = "guestbooks.example.com") => objects.get(definitionPath(name))!;
  const serve = (api: ReturnType<typeof scriptedApi>, target = TARGET, of = definitions) => {
    const served = of.map((one) => ({ definition: { ...one, spec: { ...one.spec, conversion: ORIGINAL } }, original: one as Definition }));
    return serveConversions(api, target, served, signal);
  };
  return { objects, get, serve };
}

/** A definition apart from its version. */
function unversioned({ metadata: { resourceVersion: _, ...metadata }, spec }: ReturnType<typeof definition>) {
  return { metadata, spec };
}

Deno.test("a conversion calls the session's Service by the path of the original, and is put back exactly", async () => {
  const injected = { "cert-manager.io/inject-ca-from": "system/cert", own: "1" };
  const cases = [definition(ORIGINAL, injected), definition(ORIGINAL), definition(NONE), definition(NONE, { own: "1" })];
  await Promise.all(cases.map(async (before) => {
    const { objects, get, serve } = cluster(before);
    using server = objectServer(objects);
    using api = scriptedApi(server);
    await serve(api);
    const { metadata: { annotations = {} }, spec: { conversion } } = get();
    assert.deepEqual(conversion, {
      strategy: "Webhook",
      webhook: { conversionReviewVersions: ["v1"], clientConfig: { service: OURS, caBundle: btoa("PEM") } },
    });
    const { [CONVERSION_BEFORE]: _, ...others } = annotations;
    assert.deepEqual(others, before.metadata.annotations?.own ? { own: "1" } : {});
    const { marks } = await findMarks(api);
    assert.deepEqual([...await putConversionsBack(api, marks)], []);
    assert.deepEqual(unversioned(get()), unversioned(before));
  }));
});

Deno.test("a killed client's conversion is found by its record, and put back like at an end", async () => {
  const { objects, get, serve } = cluster(definition(ORIGINAL));
  get().metadata.managedFields.push({ ...MANAGER, manager: "kurun" });
  using server = objectServer(objects, ({ target }) => target.includes("/namespaces/dev/jobs/") ? 404 : undefined);
  using api = scriptedApi(server);
  await serve(api);
  assert.deepEqual((await findHookLeftovers(api, { namespace: "prod", signal })).marks, []);
  const { marks } = await findHookLeftovers(api, { namespace: "dev", signal });
  assert.deepEqual(marks.map(({ is, name, session }) => [is, name, session.name]), [[
    "conversion",
    "guestbooks.example.com",
    TARGET.plan.name,
  ]]);
  assert.deepEqual(await removeMark(api, marks[0]!), []);
  assert.deepEqual(unversioned(get()), unversioned(definition(ORIGINAL)));
  // A second time there is nothing to do.
  assert.deepEqual(await removeMark(api, marks[0]!), []);
  assert.equal(server.requests.filter(({ method }) => method === "PATCH").length, 3);
});

Deno.test("what somebody else has changed meanwhile stays, and is named", async () => {
  const config = ORIGINAL.webhook!.clientConfig!;
  const changed = (now: Conversion, clientConfig: Record<string, unknown>): Conversion => ({
    ...now,
    webhook: { ...now.webhook!, clientConfig: { ...now.webhook!.clientConfig, ...clientConfig } },
  });
  const cases: [string, Conversion, (ours: Conversion) => Conversion, Conversion, string[]][] = [
    ["an injected CA", ORIGINAL, (ours) => changed(ours, { caBundle: "bmV3" }), changed(ORIGINAL, { caBundle: "bmV3" }), ["caBundle"]],
    ["an injected CA where nothing was", NONE, (ours) => changed(ours, { caBundle: "bmV3" }), NONE, []],
    ["a manifest without a CA", ORIGINAL, (ours) => changed(ours, { service: config.service }), ORIGINAL, ["service"]],
    ["another Service and CA", ORIGINAL, () => changed(ORIGINAL, { caBundle: "bmV3" }), changed(ORIGINAL, { caBundle: "bmV3" }), [
      "service",
      "caBundle",
    ]],
    ["the original", ORIGINAL, () => ORIGINAL, ORIGINAL, []],
    ["no conversion", ORIGINAL, () => NONE, NONE, ["strategy"]],
  ];
  for (const [name, before, change, after, kept] of cases) {
    const { objects, get, serve } = cluster(definition(before));
    using server = objectServer(objects);
    using api = scriptedApi(server);
    await serve(api);
    get().spec.conversion = change(get().spec.conversion);
    const [mark] = (await findHookLeftovers(api, { namespace: undefined, ended: [JOB], signal })).marks;
    assert.deepEqual(await removeMark(api, mark!), kept, name);
    assert.deepEqual(unversioned(get()), unversioned(definition(after)), name);
  }
});

Deno.test("a conversion that another session answers is refused, and the others are left as they were", async () => {
  const both = cluster(definition(ORIGINAL), definition(ORIGINAL, {}, "books.example.com"));
  using server = objectServer(both.objects);
  using api = scriptedApi(server);
  await both.serve(api, OTHER, [both.get()]);
  await assert.rejects(both.serve(api), (error) => error instanceof ConversionTakenError && error.session.name === "other");
  assert.equal(conversionRecord(both.get().metadata)?.session.name, "other");
  assert.deepEqual(both.get("books.example.com").spec.conversion, ORIGINAL);
});

Deno.test("a record that is not one is ignored", () => {
  const record = { session: { namespace: "dev", name: "a" }, before: NONE, wrote: ORIGINAL, annotations: {} };
  assert.deepEqual(conversionRecord({ annotations: { [CONVERSION_BEFORE]: JSON.stringify(record) } }), record);
  for (
    const wrong of [{ session: null }, { before: null }, { wrote: 1 }, { annotations: { a: 1 } }, { session: { namespace: "dev" } }, {
      session: { namespace: "dev", name: "a; reboot" },
    }]
  ) {
    assert.equal(conversionRecord({ annotations: { [CONVERSION_BEFORE]: JSON.stringify({ ...record, ...wrong }) } }), undefined);
  }
  assert.equal(conversionRecord({}), undefined);
});

Deno.test("objects are counted without reading them, if they may be listed", async () => {
  let status: number | undefined = undefined;
  using server = objectServer(new Map(), () => status);
  using api = scriptedApi(server);
  assert.equal(await countObjects(api, definition(NONE) as Definition, signal), 0);
  assert.equal(server.requests[0]?.target, "/apis/example.com/v1/guestbooks?limit=1");
  status = 403;
  assert.equal(await countObjects(api, definition(NONE) as Definition, signal), undefined);
});
