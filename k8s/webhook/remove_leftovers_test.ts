import assert from "node:assert/strict";
import { objectServer } from "../../tests/object_server.ts";
import { scriptedApi } from "../../tests/scripted_api.ts";
import { findHookLeftovers } from "./find_leftovers.ts";
import { conditionName, mineExpression } from "./guard.ts";
import { hookPath } from "./hook_configuration.ts";
import { definitionPath } from "./conversion.ts";
import { removeConfigurations } from "./remove_configurations.ts";
import { removeMark } from "./remove_leftovers.ts";

const { signal } = new AbortController();
const MUTATING = hookPath("MutatingWebhookConfiguration");
const VALIDATING = hookPath("ValidatingWebhookConfiguration");
const LIVE = "/apis/batch/v1/namespaces/dev/jobs/live";

function condition(session: string, namespace = "dev"): { name: string; expression: string } {
  const by = { namespace, name: session };
  return { name: conditionName(by), expression: `!(${mineExpression(by, "request.operation == 'CREATE'")})` };
}

const OWN = { name: "own", expression: "true" };

/** Somebody's configuration; each webhook has these conditions. */
function original(...conditions: ({ name: string; expression: string }[] | undefined)[]) {
  const webhooks = conditions.map((matchConditions, at) => ({
    name: `${at}.example.com`,
    ...(matchConditions ? { matchConditions } : {}),
  }));
  return { metadata: { name: "original", uid: "o", resourceVersion: "1" }, webhooks };
}

function version(resourceVersion: string, conditions: { name: string; expression: string }[]) {
  const { metadata, webhooks } = original(conditions);
  return { metadata: { ...metadata, resourceVersion }, webhooks };
}

function copy(session: string, namespace = "dev") {
  const labels = { "app.kubernetes.io/managed-by": "kurun", "kurun.dev/session": session };
  const annotations = { "kurun.dev/namespace": namespace };
  return { metadata: { name: `original--${session}`, uid: session, labels, annotations }, webhooks: [{ name: "0.example.com" }] };
}

function cluster(
  configuration = original([condition("live"), OWN, condition("gone"), condition("else", "prod")], [condition("gone")], undefined),
) {
  return new Map<string, unknown>([
    [LIVE, { metadata: { name: "live" } }],
    [`${MUTATING}/original`, configuration],
    [`${VALIDATING}/original--gone`, copy("gone")],
    [`${VALIDATING}/original--live`, copy("live")],
    [`${VALIDATING}/original--else`, copy("else", "prod")],
  ]);
}

Deno.test("copies and conditions of sessions whose Job is gone are found, in the order of their removal", async () => {
  using server = objectServer(cluster());
  using api = scriptedApi(server);
  const found = async (options: { namespace: string | undefined; ended?: string[] }) => {
    const { marks, hidden, unknown } = await findHookLeftovers(api, { ...options, signal });
    assert.deepEqual([hidden, unknown], [[], []]);
    return marks.map(({ is, kind, name, session }) => `${is} ${session.namespace}/${session.name} ${kind[0]}/${name}`);
  };
  const gone = ["condition dev/gone M/original", "copy dev/gone V/original--gone"];
  assert.deepEqual(await found({ namespace: "dev" }), gone);
  const all = [
    "condition dev/gone M/original",
    "condition prod/else M/original",
    "copy dev/gone V/original--gone",
    "copy prod/else V/original--else",
  ];
  assert.deepEqual(await found({ namespace: undefined }), all);
  assert.deepEqual(await found({ namespace: "dev", ended: [LIVE] }), [
    "condition dev/live M/original",
    gone[0],
    "copy dev/live V/original--live",
    gone[1],
  ]);
});

Deno.test("marks whose session cannot be looked for are left alone, and what may not be listed is named", async () => {
  using server = objectServer(cluster(), ({ target }) => /\/namespaces\/prod\/|mutating/.test(target) ? 403 : undefined);
  using api = scriptedApi(server);
  const { marks, hidden, unknown } = await findHookLeftovers(api, { namespace: undefined, signal });
  assert.deepEqual(marks.map(({ name }) => name), ["original--gone"]);
  assert.deepEqual(hidden, ["mutatingwebhookconfigurations"]);
  assert.deepEqual(unknown, [{ namespace: "prod", name: "else" }]);
});

Deno.test("names that lead elsewhere, conditions of others and labels without a namespace are not marks", async () => {
  const others = [
    condition("../../x"),
    condition("a", "dev/jobs"),
    { name: "a.kurun.dev", expression: "authorizer.serviceAccount('dev', 'a').group('').resource('pods').check('get').allowed()" },
    { ...condition("a"), name: "b.kurun.dev" },
    { name: "a.kurun.dev", expression: "true" },
  ];
  const { metadata: { annotations: _, ...metadata }, webhooks } = copy("gone");
  using server = objectServer(
    new Map<string, unknown>([[`${MUTATING}/original`, original(others)], [`${VALIDATING}/x`, { metadata, webhooks }]]),
  );
  using api = scriptedApi(server);
  assert.deepEqual((await findHookLeftovers(api, { namespace: undefined, signal })).marks, []);
});

Deno.test("what is removed is exactly what the session put there", async () => {
  const objects = cluster();
  using server = objectServer(objects);
  using api = scriptedApi(server);
  for (const mark of (await findHookLeftovers(api, { namespace: "dev", signal })).marks) await removeMark(api, mark);
  const expected = cluster(original([condition("live"), OWN, condition("else", "prod")], undefined, undefined));
  expected.delete(`${VALIDATING}/original--gone`);
  (objects.get(`${MUTATING}/original`) as ReturnType<typeof original>).metadata.resourceVersion = "1";
  assert.deepEqual(objects, expected);
});

Deno.test("a condition is found again if somebody changes the configuration meanwhile, and a copy that is another one by now stays", async () => {
  const objects = cluster();
  let patches = 0;
  using server = objectServer(objects, ({ method }) => {
    if (method === "PATCH" && ++patches === 1) objects.set(`${MUTATING}/original`, version("5", [OWN, condition("gone")]));
    return undefined;
  });
  using api = scriptedApi(server);
  const { marks } = await findHookLeftovers(api, { namespace: "dev", signal });
  objects.set(`${VALIDATING}/original--gone`, { metadata: { name: "original--gone", uid: "another" } });
  for (const mark of marks) await removeMark(api, mark);
  assert.deepEqual(objects.get(`${MUTATING}/original`), version("6", [OWN]));
  assert.ok(objects.has(`${VALIDATING}/original--gone`));
  assert.equal(patches, 2);
});

Deno.test("a patch that the API server refuses for another reason is not repeated", async () => {
  let patches = 0;
  using server = objectServer(cluster(), ({ method }) => method === "PATCH" ? (patches++, 422) : undefined);
  using api = scriptedApi(server);
  const [mark] = (await findHookLeftovers(api, { namespace: "dev", signal })).marks;
  await assert.rejects(removeMark(api, mark!), /refused with 422/);
  assert.equal(patches, 1);
});

Deno.test("a session's end switches it off before its conditions and then its copies go, and leaves other sessions alone", async () => {
  const binding = "/apis/rbac.authorization.k8s.io/v1/namespaces/dev/rolebindings/gone";
  const objects = cluster().set(binding, { metadata: { name: "gone" } });
  using server = objectServer(objects, ({ target }) => target.startsWith(definitionPath()) ? 403 : undefined);
  using api = scriptedApi(server);
  let answered = 0;
  await removeConfigurations(api, { namespace: "dev", name: "gone" }, {
    answered: () => Promise.resolve(void (answered = server.requests.length)),
  });
  const changes = server.requests.map(({ method, target }) => `${method} ${target.replace(/\?.*/, "")}`).filter((line) =>
    /^[DP]A?[^O]/.test(line)
  );
  assert.deepEqual(changes, [`DELETE ${binding}`, `PATCH ${MUTATING}/original`, `DELETE ${VALIDATING}/original--gone`]);
  assert.equal(server.requests.findIndex(({ method }) => method === "PATCH"), answered + 1);
});

Deno.test("what is refused at a session's end keeps nothing else from being undone", async () => {
  const binding = "/apis/rbac.authorization.k8s.io/v1/namespaces/dev/rolebindings/gone";
  for (
    const [refused, ...done] of [
      [/GET .*customresourcedefinitions/, `DELETE ${binding}`],
      [/GET .*mutatingwebhook/, `DELETE ${binding}`, `DELETE ${VALIDATING}/original--gone`],
      [/PATCH/, `DELETE ${binding}`, `DELETE ${VALIDATING}/original--gone`],
      [/DELETE .*rolebindings/, `PATCH ${MUTATING}/original`, `DELETE ${VALIDATING}/original--gone`],
    ] as const
  ) {
    const objects = cluster().set(binding, { metadata: { name: "gone" } });
    const status = `${refused}`.includes("custom") ? 410 : 403;
    const answered: string[] = [];
    using server = objectServer(objects, ({ method, target }) => {
      const line = `${method} ${target.replace(/\?.*/, "")}`;
      if (refused.test(line)) return status;
      if (/^(?:PATCH|DELETE)/.test(line)) answered.push(line);
      return undefined;
    });
    using api = scriptedApi(server);
    await assert.rejects(removeConfigurations(api, { namespace: "dev", name: "gone" }), { status });
    assert.deepEqual(answered, done);
  }
});
