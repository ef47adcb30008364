import assert from "node:assert/strict";
import { FORWARD_PLAN } from "../../tests/forward_plan.ts";
import { scriptedApi } from "../../tests/scripted_api.ts";
import { ScriptedServer } from "../../tests/scripted_server.ts";
import { parseFilter } from "../../k8s/webhook/only_filter.ts";
import { checkWebhooks } from "./check_webhooks.ts";
import { copiesFor } from "./session_webhooks.ts";

const HOOK = {
  name: "a.kb.io",
  clientConfig: { service: { name: "x", namespace: "y" } },
  sideEffects: "None",
  admissionReviewVersions: ["v1"],
};
const COPIES = copiesFor(FORWARD_PLAN, {
  served: [{
    configuration: {
      apiVersion: "admissionregistration.k8s.io/v1",
      kind: "MutatingWebhookConfiguration",
      metadata: { name: "mutating" },
      webhooks: [HOOK],
    },
  }],
  conversions: [],
  filter: parseFilter([]),
  caPem: "CA",
  shadow: false,
});

/** Checks against an API server that changes what it is sent, and lets the session answer or not before it is switched on. */
async function check(
  answer: (copy: Record<string, unknown>) => [status: number, body: unknown] = (copy) => [201, copy],
  allowed = false,
): Promise<string[]> {
  using server = new ScriptedServer(({ target, body }, reply) => {
    if (target.includes("localsubjectaccessreviews")) return reply.json(201, { status: { allowed } });
    return reply.json(...answer(JSON.parse(body)));
  });
  using api = scriptedApi(server);
  await checkWebhooks(api, FORWARD_PLAN, COPIES, new AbortController().signal);
  return server.requests.map(({ target }) => target);
}

Deno.test("copies are sent to the API server as a dry run", async () => {
  assert.deepEqual((await check()).filter((target) => target.includes("webhookconfigurations")), [
    "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations?fieldManager=kurun&dryRun=All",
  ]);
});

Deno.test("a cluster that drops matchConditions is refused: the webhooks would never turn themselves off", async () => {
  await assert.rejects(
    check((copy) => [201, { ...copy, webhooks: [HOOK] }]),
    /does not support matchConditions.*Kubernetes 1\.28 and later\n/,
  );
});

Deno.test("a cluster in which every ServiceAccount may do everything is refused", async () => {
  await assert.rejects(check(undefined, true), /every ServiceAccount may "answer sessions\.kurun\.dev"/);
});

Deno.test("an expression that does not compile is a mistake in --match, and other refusals are the API server's", async () => {
  const refusal = (field: string, message: string) =>
    [422, { kind: "Status", message, details: { causes: [{ field, message }] } }] as const;
  const compiling = "Invalid value: \"…\": compilation failed: ERROR: <input>:1:212: undeclared reference to 'nosuch' (in container '')";
  await assert.rejects(check(() => [...refusal("webhooks[0].matchConditions[0].expression", compiling)]), {
    message: "--match: the API server does not accept the expression: undeclared reference to 'nosuch' (in container '')",
    exitCode: 2,
  });
  await assert.rejects(check(() => [...refusal("webhooks[0].name", "should be a domain")]), { name: "ApiError" });
});
