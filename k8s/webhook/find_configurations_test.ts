import assert from "node:assert/strict";
import { scriptedApi } from "../../tests/scripted_api.ts";
import { ScriptedServer } from "../../tests/scripted_server.ts";
import { ManifestError } from "../manifests/manifest_error.ts";
import { findServed, NotServedError } from "./find_configurations.ts";

interface Client {
  service?: { namespace: string; name: string; path?: string };
  url?: string;
}
/** `name namespace/service/path`, or `name https://…`. */
function hook(text: string): { name: string; clientConfig: Client } {
  const [name = "", target = ""] = text.split(" ");
  if (target.startsWith("https:")) return { name, clientConfig: { url: target } };
  const [namespace = "", service = "", path] = target.split("/");
  return { name, clientConfig: { service: { namespace, name: service, ...(path ? { path: `/${path}` } : {}) } } };
}

interface Cluster {
  mutating?: Record<string, string[]>;
  validating?: Record<string, string[]>;
  /** By name: the target of the conversion webhook; empty for none. */
  definitions?: Record<string, string>;
  /** A part of the paths that may not be read. */
  denied?: string;
}

function definition(name: string, target: string): unknown {
  const webhook = { clientConfig: hook(`x ${target}`).clientConfig, conversionReviewVersions: ["v1"] };
  const before = { strategy: "Webhook", webhook: { clientConfig: hook("x shop/s/before").clientConfig } };
  const record = { session: { namespace: "shop", name: "s" }, before, wrote: { strategy: "Webhook" }, annotations: {} };
  const annotations = name.startsWith("taken") ? { "kurun.dev/conversion-before": JSON.stringify(record) } : {};
  return {
    metadata: { name, annotations },
    spec: { group: "x", conversion: target ? { strategy: "Webhook", webhook } : { strategy: "None" } },
  };
}

function answer(target: string, { mutating = {}, validating = {}, definitions = {}, denied }: Cluster): [number, unknown] {
  if (denied && target.includes(denied)) {
    return [403, { kind: "Status", message: `${denied} is forbidden: User "jane" cannot list resource "${denied}"`, code: 403 }];
  }
  const list = (all: Record<string, string[]>): [number, unknown] => [200, {
    items: Object.entries(all).map(([name, hooks]) => ({
      metadata: { name, labels: name.includes("--") ? { "kurun.dev/session": "s" } : {} },
      webhooks: hooks.map(hook),
    })),
  }];
  if (target.includes("/mutating")) return list(mutating);
  if (target.includes("/validating")) return list(validating);
  const name = /definitions\/([^?]+)/.exec(target)?.[1];
  if (name === undefined) return [200, { items: Object.entries(definitions).map(([name, target]) => definition(name, target)) }];
  const found = definitions[name];
  return found === undefined ? [404, { kind: "Status", code: 404 }] : [200, definition(name, found)];
}

async function find(cluster: Cluster, search: { file?: string; names?: string[]; namespace?: string } = {}) {
  using server = new ScriptedServer(({ target }, reply) => reply.json(...answer(target, cluster)));
  using api = scriptedApi(server);
  const found = await findServed(api, {
    files: search.file === undefined ? [] : [{ name: "hooks.yaml", text: search.file }],
    names: search.names ?? [],
    namespace: search.namespace ?? "shop",
    service: "hooks",
    signal: new AbortController().signal,
  });
  return {
    served: found.configurations.map(({ configuration: { kind, metadata, webhooks }, file, original }) =>
      [kind.slice(0, 1), metadata.name, webhooks.map(({ name }) => name).join(), file ?? "-", original?.metadata.name ?? "-"].join(" ")
    ),
    conversions: found.conversions.map(({ definition, file, original }) =>
      `${definition.metadata.name} ${definition.spec.conversion?.webhook?.clientConfig?.service?.path} ${
        file ?? "-"
      } ${original.spec.conversion?.strategy}`
    ),
    notes: found.notes,
  };
}

const refusal = (kind: typeof NotServedError | typeof ManifestError, ...patterns: RegExp[]) => (error: unknown) => {
  assert.ok(error instanceof kind, String(error));
  for (const pattern of patterns) assert.match(error.message, pattern);
  assert.ok(error.message.split("\n").length <= 3, error.message);
  return true;
};

/** What kubebuilder writes, with what surrounds it in a kustomize build. */
function manifest(name = "mutating-webhook-configuration", path = "/mutate-v1-pod"): string {
  return `---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
metadata: {name: ${name}, annotations: null}
webhooks:
- admissionReviewVersions: [v1]
  clientConfig:
    service: {name: webhook-service, namespace: system, path: ${path}}
  failurePolicy: Fail
  name: mpod.kb.io
  namespaceSelector: null
  rules:
  - {apiGroups: [""], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [pods]}
  sideEffects: None
---
apiVersion: v1
kind: Deployment
metadata: {}
---
just text
`;
}

Deno.test("a file's configuration is found among other objects, and its original by name or by the names of its webhooks", async () => {
  const served = async (mutating: Record<string, string[]>, names: string[] = []) => {
    const { served, notes } = await find({ mutating }, { file: manifest(), names });
    return [...served, ...notes];
  };
  const as = (original: string) => [`M mutating-webhook-configuration mpod.kb.io hooks.yaml ${original}`];
  assert.deepEqual(await served({}), as("-"));
  assert.deepEqual(await served({ "mutating-webhook-configuration": ["mpod.kb.io a/b"], "z-cfg": ["mpod.kb.io a/b"] }), [
    ...as("mutating-webhook-configuration"),
  ]);
  // The webhook was renamed, and its path was not.
  assert.deepEqual(
    await served({ "mutating-webhook-configuration": ["old.kb.io a/b/mutate-v1-pod"] }),
    as("mutating-webhook-configuration"),
  );
  assert.deepEqual(
    await served({ "guestbook-mutating": ["mpod.kb.io a/b/x"], "guestbook-mutating--s": ["mpod.kb.io a/b/x"] }),
    as("guestbook-mutating"),
  );
  // Scaffolds share the name.
  assert.deepEqual(await served({ "mutating-webhook-configuration": ["mjob.kb.io a/b/job"] }), [
    ...as("-"),
    "MutatingWebhookConfiguration mutating-webhook-configuration in the cluster is left alone: it has the same name, but none of these webhooks and paths",
  ]);
  const twice = { a: ["mpod.kb.io x/y"], b: ["mpod.kb.io x/y"] };
  await assert.rejects(served(twice), refusal(NotServedError, /\(a, b\)/, /--config NAME/));
  assert.deepEqual(await served(twice, ["b"]), as("b"));
  assert.deepEqual(await served({ ...twice, c: ["mpod.kb.io shop/y"] }), as("c"));
});

Deno.test("a name means both kinds, and only webhooks that call a Service are served", async () => {
  const cluster = {
    mutating: { web: ["a.io x/s/a", "b.io https://b"], other: ["c.io x/s"] },
    validating: { web: ["d.io x/t/d"], url: ["e.io https://e"] },
    definitions: { "books.x.io": "x/s/convert", "plain.x.io": "" },
  };
  assert.deepEqual(await find(cluster, { names: ["web"] }), {
    served: ["M web a.io - web", "V web d.io - web"],
    conversions: [],
    notes: ["webhook b.io of MutatingWebhookConfiguration web is left alone: it calls a URL and not a Service"],
  });
  assert.deepEqual((await find(cluster, { names: ["books.x.io"] })).conversions, ["books.x.io /convert - Webhook"]);
  await assert.rejects(find(cluster, { names: ["wbe"] }), refusal(NotServedError, /named "wbe"/, /has: other, url, web$/));
  await assert.rejects(find(cluster, { names: ["url"] }), refusal(NotServedError, /url has no webhook that calls a Service/));
  await assert.rejects(find(cluster, { names: ["plain.x.io"] }), refusal(NotServedError, /it has no conversion webhook/));
});

Deno.test("of a configuration with several Services, those of the namespace are served", async () => {
  const mutating = { web: ["a.io x/s", "b.io y/s"] };
  assert.deepEqual(await find({ mutating }, { names: ["web"], namespace: "y" }), {
    served: ["M web b.io - web"],
    conversions: [],
    notes: ["webhook a.io of MutatingWebhookConfiguration web is left alone: it calls a Service of another namespace, x"],
  });
  await assert.rejects(find({ mutating }, { names: ["web"] }), refusal(NotServedError, /x\/s, y\/s/, /-n NAMESPACE/));
});

Deno.test("without files and names, everything that calls the one Service of the namespace is served", async () => {
  const cluster = {
    mutating: { a: ["a.io shop/s", "b.io shop/s/b"], b: ["c.io x/s"], "a--s": ["a.io shop/kurun"] },
    validating: { c: ["d.io shop/s"] },
    // Another session answers the second one's.
    definitions: { "books.x.io": "shop/s/convert", "taken.x.io": "shop/kurun", "plain.x.io": "", "other.x.io": "x/s/convert" },
  };
  const served = ["M a a.io,b.io - a", "V c d.io - c"];
  const conversions = ["books.x.io /convert - Webhook", "taken.x.io /before - Webhook"];
  assert.deepEqual(await find(cluster), { served, conversions, notes: [] });
  assert.deepEqual(await find({ ...cluster, denied: "customresourcedefinitions" }), {
    served,
    conversions: [],
    notes: ["CustomResourceDefinitions are left out: you may not read them"],
  });
  await assert.rejects(find(cluster, { namespace: "z" }), refusal(NotServedError, /Service of namespace z/, /--config NAME: a, b, c/));
  const two = { ...cluster, validating: { c: ["d.io shop/t"] } };
  await assert.rejects(
    find(two),
    refusal(NotServedError, /several Services of namespace shop: s \(a, books\.x\.io, taken\.x\.io\), t \(c\)/),
  );
  await assert.rejects(
    find({ ...cluster, denied: "validatingwebhookconfigurations" }),
    refusal(NotServedError, /User "jane" cannot list/, /doctor --rbac --for webhook -n shop --servicename hooks$/m, /port-forward/),
  );
});

Deno.test("a definition in a file is served as the file says, if the cluster has it", async () => {
  const file = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: books.x.io}
spec:
  group: x
  conversion:
    strategy: Webhook
    webhook: {conversionReviewVersions: [v1], clientConfig: {service: {name: s, namespace: system, path: /convert}}}
`;
  assert.deepEqual((await find({ definitions: { "books.x.io": "" } }, { file })).conversions, ["books.x.io /convert hooks.yaml None"]);
  await assert.rejects(find({}, { file }), refusal(NotServedError, /books\.x\.io in hooks\.yaml is left out: it is not in the cluster/));
  await assert.rejects(find({}, { file: file.replace("Webhook", "None") }), refusal(NotServedError, /hooks\.yaml has no webhook conf/));
});

Deno.test("manifests are refused at the place of each mistake", async () => {
  const cases: [(text: string) => string, string][] = [
    [(text) => text.replace("io/v1\n", "io/v1beta1\n"), "2:1: Kubernetes 1.22 removed admissionregistration.k8s.io/v1beta1"],
    [(text) => text.replace("name: mpod.kb.io", "name: ''"), "6:3: webhooks[0] has no name"],
    [(text) => text.replace("name: mutating-webhook-configuration,", ""), "4:11: this MutatingWebhookConfiguration has no metadata.name"],
    [(text) => text.replace("service:", "services:"), "7:3: webhooks[0].clientConfig has neither service nor url"],
    [(text) => text.replace("[CREATE, UPDATE]", "CREATE"), "13:42: webhooks[0].rules[0].operations must be a list, not text (CREATE)"],
    [
      (text) => text.replace("path: /mutate-v1-pod", "path: 1"),
      "8:57: webhooks[0].clientConfig.service.path must be text, not a number (1)",
    ],
    [(text) => text.replace("webhooks:\n", "webhooks: {}\nx:\n"), "5:1: webhooks must be a list, not a map"],
    [(text) => text + text, "24:12: this MutatingWebhookConfiguration is at hooks.yaml:2 too"],
    [(text) => text.replace("{name: webhook-service", "{name: [}"), "8:22: "],
  ];
  for (const [change, expected] of cases) {
    const file = change(manifest());
    assert.notEqual(file, manifest());
    await assert.rejects(find({}, { file }), (error: Error) => {
      assert.ok(error instanceof ManifestError, error.stack);
      assert.ok(error.message.startsWith(`hooks.yaml:${expected}`), `${error.message}\n  ${expected}`);
      return true;
    });
  }
});
