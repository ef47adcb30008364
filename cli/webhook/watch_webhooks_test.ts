import assert from "node:assert/strict";
import { objectServer } from "../../tests/object_server.ts";
import { scriptedApi } from "../../tests/scripted_api.ts";
import { SessionBrokenError } from "../../k8s/session/check_objects.ts";
import { definitionPath } from "../../k8s/webhook/conversion.ts";
import { hookPath, type LiveHookConfiguration } from "../../k8s/webhook/hook_configuration.ts";
import { watchWebhooks } from "./watch_webhooks.ts";

const KIND = "MutatingWebhookConfiguration";
const CONDITION = { name: "web-kurun-bcdfg.kurun.dev", expression: "!(mine)" };
const EXCLUSIONS = [{ kind: KIND, name: "original", webhooks: ["a.kb.io"] }] as const;
const ORIGINAL = hookPath(KIND, "original");
const COPY = hookPath(KIND, "original--bcdfg");
const SWITCH = "/apis/authorization.k8s.io/v1/namespaces/shop/localsubjectaccessreviews";

// deno-lint-ignore no-explicit-any -- parts of a configuration
function configuration(name: string, hook: any): any {
  const managedFields = [{ manager: "flux", time: "2026-01-01T00:00:00Z" }, { manager: "kurun", time: "2026-01-02T00:00:00Z" }];
  return {
    kind: KIND,
    metadata: { name, uid: name, resourceVersion: "1", managedFields },
    webhooks: [{ name: "a.kb.io", clientConfig: { service: { name: "web", namespace: "shop" }, caBundle: "Q0E=" }, ...hook }],
  };
}

/** Watches until the test is over. @param steps what somebody does before each look */
async function watched(steps: ((objects: Map<string, ReturnType<typeof configuration>>) => void)[]) {
  const copy = configuration("original--bcdfg", { matchConditions: [{ ...CONDITION, expression: "mine" }] });
  const original = configuration("original", { matchConditions: [CONDITION] });
  const objects = new Map([[COPY, structuredClone(copy)], [ORIGINAL, original], [SWITCH, { status: { allowed: true } }]]);
  const stop = new AbortController();
  let looks = 0;
  using server = objectServer(objects, ({ method, target }) => {
    if (method !== "GET" || target !== COPY) return undefined;
    const step = steps[looks++];
    if (step) step(objects);
    else stop.abort();
    return undefined;
  });
  using api = scriptedApi(server);
  const said: string[] = [];
  const webhooks = {
    session: { namespace: "shop", name: "web-kurun-bcdfg" },
    copies: [copy as LiveHookConfiguration],
    exclusions: EXCLUSIONS,
    condition: CONDITION,
    conversions: [{ name: "books.example.com", wrote: { strategy: "Webhook" } }],
  };
  const error = await watchWebhooks(api, webhooks, (line) => said.push(line), stop.signal, 5).catch((error) => error);
  return { said, error, patches: server.requests.filter(({ method }) => method === "PATCH").length, original: objects.get(ORIGINAL) };
}

const putBack = (objects: Map<string, unknown>) => void objects.set(ORIGINAL, configuration("original", {}));

Deno.test("an original that somebody put back leaves the session's requests out again, and that is said", async () => {
  const { said, patches, original } = await watched([putBack, () => {}, () => {}, () => {}]);
  assert.deepEqual(said, [`${KIND} original was put back as it was; kurun leaves this session's requests out of it again`]);
  assert.equal(patches, 1);
  assert.deepEqual(original?.webhooks[0].matchConditions, [CONDITION]);
});

Deno.test("an original stays as it is once the session is switched off: kurun stop removes the condition", async () => {
  const stopped = (objects: Map<string, unknown>) => putBack(objects.set(SWITCH, { status: { allowed: false } }));
  const { said, patches } = await watched([stopped, () => {}, () => {}]);
  assert.deepEqual([said, patches], [[], 0]);
});

Deno.test("a controller that puts the original back each time wins, and that is said once", async () => {
  const { said, patches, original } = await watched(Array(40).fill(putBack));
  assert.deepEqual(said.slice(1), [
    `${KIND} original is put back again and again, probably by a controller: from now on its webhooks answer this session's requests too`,
  ]);
  assert.equal(patches, 3);
  assert.equal(original?.webhooks[0].matchConditions, undefined);
});

for (
  const [what, step, message] of [
    ["is deleted", (objects) => void objects.delete(COPY), "was deleted"],
    [
      "calls something else",
      (objects) => void objects.set(COPY, configuration("original--bcdfg", { matchConditions: [CONDITION] })),
      "was changed",
    ],
  ] as [string, (objects: Map<string, unknown>) => void, string][]
) {
  Deno.test(`a session ends if its copy ${what}: nobody would answer its requests`, async () => {
    const { error } = await watched([() => {}, step]);
    assert.ok(error instanceof SessionBrokenError, String(error));
    assert.match(error.message, new RegExp(`${KIND} original--bcdfg ${message}`));
  });
}

Deno.test("a copy to which somebody adds a selector goes on, and so does an original that is deleted", async () => {
  const hook = { matchConditions: [{ ...CONDITION, expression: "mine" }], namespaceSelector: { matchLabels: { a: "b" } } };
  const { error, said } = await watched([(objects) => {
    objects.set(COPY, configuration("original--bcdfg", hook));
    objects.delete(ORIGINAL);
  }, () => {}]);
  assert.ok(!(error instanceof SessionBrokenError), String(error));
  assert.deepEqual(said, []);
});

Deno.test("a copy that kurun stop removes is nothing to report: the session has ended, and that is said", async () => {
  const stopped = (objects: Map<string, unknown>) => void objects.set(SWITCH, { status: { allowed: false } }).delete(COPY);
  const { error } = await watched([stopped, () => {}]);
  assert.ok(!(error instanceof SessionBrokenError), String(error));
});

Deno.test("a conversion that somebody changes after it was answered here is said once", async () => {
  const become = (strategy: string) => (objects: Map<string, unknown>) => {
    const { metadata: { managedFields } } = configuration("", {});
    objects.set(definitionPath("books.example.com"), { metadata: { managedFields }, spec: { conversion: { strategy } } });
  };
  const { said, error } = await watched([become("None"), become("Webhook"), () => {}, become("None"), () => {}, () => {}, () => {}]);
  assert.deepEqual(said, ["flux changed the conversion of books.example.com: conversions may no longer reach this machine"]);
  assert.ok(!(error instanceof SessionBrokenError));
});
