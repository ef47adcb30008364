import assert from "node:assert/strict";
import { scriptedApi } from "../../tests/scripted_api.ts";
import { ScriptedServer } from "../../tests/scripted_server.ts";
import {
  checkRights,
  describeRight,
  MissingRightsError,
  neededRights,
  ownRules,
  type Right,
  type RightsScope,
  type Transport,
} from "./session_rights.ts";

Deno.test("checkRights() asks only about rights that the user's rules do not give, and names the missing ones in their order", async () => {
  const resourceRules = [{ verbs: ["get"], apiGroups: [""], resources: ["*"] }];
  const asked: string[] = [];
  using server = new ScriptedServer((request, reply) => {
    const { namespace, resourceAttributes } = JSON.parse(request.body).spec;
    if (namespace !== undefined) return reply.json(201, { status: namespace === "shop" ? { resourceRules, incomplete: true } : {} });
    asked.push(describeRight(resourceAttributes));
    return reply.json(201, { status: { allowed: resourceAttributes.verb === "watch" } });
  });
  using api = scriptedApi(server);
  const scope = { purpose: "port-forward", namespace: "shop", service: "web", server: "// server" } as const;
  const lacked = neededRights(scope).filter(({ verb }) => verb !== "get");
  await assert.rejects(checkRights(api, scope, "service", new AbortController().signal), (error) => {
    assert.ok(error instanceof MissingRightsError);
    assert.deepEqual(error.missing, lacked.filter(({ verb }) => verb !== "watch"));
    assert.deepEqual(asked, lacked.map(describeRight));
    return true;
  });
});

Deno.test("rules give what RBAC allows by them, and nothing outside of their namespace", async () => {
  const rule = { verbs: ["get"], apiGroups: [""], resources: ["services/proxy"], resourceNames: ["a"] };
  const right = { verb: "get", resource: "services", subresource: "proxy", name: "a", namespace: "shop" };
  const given = async (resourceRules: unknown, right: Right) => {
    using server = new ScriptedServer((_, reply) => reply.json(201, { status: { resourceRules } }));
    using api = scriptedApi(server);
    return (await ownRules(api, "shop", new AbortController().signal))(right);
  };
  const cases: [boolean, Partial<typeof rule>, { [key in keyof Right]?: string | undefined }][] = [
    [true, {}, {}],
    [true, { verbs: ["*"], apiGroups: ["*"], resources: ["*"], resourceNames: [] }, {}],
    [true, { resources: ["*/proxy"] }, {}],
    [true, { resources: ["pods", "services"] }, { subresource: undefined }],
    [true, { resourceNames: [] }, { name: undefined }],
    [false, {}, { verb: "update" }],
    [false, {}, { group: "apps" }],
    [false, { resources: ["services"] }, {}],
    [false, { resources: ["services/*"] }, {}],
    [false, { resources: ["*/proxy"] }, { subresource: undefined }],
    [false, {}, { name: "b" }],
    [false, {}, { name: undefined }],
    [false, { resourceNames: ["*"] }, {}],
    [false, { resourceNames: [] }, { namespace: "other" }],
    [false, { resourceNames: [] }, { namespace: undefined }],
  ];
  for (const [expected, ruleChange, rightChange] of cases) {
    const changed = { ...right, ...rightChange } as Right;
    assert.equal(await given([{ ...rule, ...ruleChange }], changed), expected, JSON.stringify([ruleChange, rightChange]));
  }
  assert.equal(await given(null, right), false);
});

Deno.test("one way of the tunnel is enough, and the rights of the preferred one are named if there is none", async () => {
  const ways = async (transport: Transport, ...allowed: string[]) => {
    using server = new ScriptedServer((request, reply) => {
      const { verb, subresource } = JSON.parse(request.body).spec.resourceAttributes ?? {};
      return reply.json(201, { status: { allowed: subresource === undefined || allowed.includes(`${verb} ${subresource}`) } });
    });
    using api = scriptedApi(server);
    const scope = { purpose: "port-forward", namespace: "shop", service: "web" } as const;
    return await checkRights(api, scope, transport, new AbortController().signal)
      .then(({ ways }) => ways, (error) => error.missing.map(describeRight));
  };
  const both = ["get portforward", "create portforward"];
  assert.deepEqual(await ways("auto", "get proxy", ...both), ["service", "pod"]);
  assert.deepEqual(await ways("auto", "get proxy", "get portforward"), ["service"]);
  assert.deepEqual(await ways("auto", ...both), ["pod"]);
  assert.deepEqual(await ways("pod", "get proxy", ...both), ["pod"]);
  assert.deepEqual(await ways("auto"), ["get services/proxy named https:web-kurun:8333 in namespace shop"]);
  assert.deepEqual(await ways("pod", "get proxy", "get portforward"), ["create pods/portforward in namespace shop"]);
});

Deno.test("neededRights() names the Services and the tunnel of port-forward, and of a run once it has a name", () => {
  const named = (scope: Partial<RightsScope> & Pick<RightsScope, "purpose">) =>
    neededRights({ namespace: "shop", server: "// server", ...scope }).filter(({ verb }) => verb === "get").map(describeRight);
  assert.deepEqual(named({ purpose: "port-forward", service: "web" }), [
    "get services named web in namespace shop",
    "get services named web-kurun in namespace shop",
    "get services/proxy named https:web-kurun:8333 in namespace shop",
  ]);
  assert.deepEqual(named({ purpose: "run" }), ["get services/proxy in namespace shop"]);
  assert.deepEqual(named({ purpose: "run", service: "job-1" }), ["get services/proxy named https:job-1-kurun:8333 in namespace shop"]);
  assert.ok(named({ purpose: "webhook" }).includes("get validatingwebhookconfigurations.admissionregistration.k8s.io"));
});

Deno.test("the right to create ConfigMaps is needed only if the image does not contain the server", () => {
  const asked = (server?: string) =>
    neededRights({ purpose: "run", namespace: "shop", ...(server === undefined ? {} : { server }) })
      .filter(({ resource }) => resource === "configmaps").length;
  assert.deepEqual([asked("// server"), asked()], [1, 0]);
});

Deno.test("describeRight() names verb, resource, object and namespace", () => {
  const right = { verb: "get", resource: "services", subresource: "proxy", name: "https:web-kurun:8333", namespace: "shop" };
  assert.equal(describeRight(right), "get services/proxy named https:web-kurun:8333 in namespace shop");
  assert.equal(describeRight({ verb: "create", group: "batch", resource: "jobs" }), "create jobs.batch");
});
