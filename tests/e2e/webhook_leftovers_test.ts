/**
 * What sessions of `kurun webhook` put outside their namespace: it is found and removed, and what it was put into is as before.
 *
 * @module
 */
import assert from "node:assert/strict";
import { Api } from "../../k8s/api/api.ts";
import { loadClusterAccess } from "../../k8s/kubeconfig/kubeconfig.ts";
import { exclude } from "../../k8s/webhook/exclude_from_original.ts";
import { conditionName, mineExpression } from "../../k8s/webhook/guard.ts";
import { KurunProcess } from "./kurun_process.ts";
import { clusterTest, kubectl, type ListedObject, type TestNamespace } from "./kubernetes.ts";
import { serveHttp } from "./upstreams.ts";

const SESSION = "hook-kurun-bcdfg";

async function clusterApi(): Promise<Api> {
  return new Api(await loadClusterAccess({}, { get: (name) => Deno.env.get(name), interactive: false }), { userAgent: "test" });
}

/** An object of the cluster without what every change moves: versions, and the times of who owns fields. */
async function unmoved(type: string, name: string, field = "managedFields"): Promise<ListedObject> {
  const object = JSON.parse(await kubectl(["get", type, name, "-o", "json", "--show-managed-fields"]));
  const { metadata: { resourceVersion: _, generation: _generation, ...metadata } } = object;
  for (const entry of metadata.managedFields) delete entry.time;
  if (field !== "managedFields") delete metadata.managedFields;
  return { ...object, metadata };
}

clusterTest(
  "kurun cleanup takes out copies and conditions of ended sessions, and a configuration is then byte for byte as before",
  async (namespace) => {
    using api = await clusterApi();
    const { name } = namespace;
    const kind = "ValidatingWebhookConfiguration";
    const hook = (label: string, matchConditions?: unknown) => ({
      name: `${label}.kurun.test`,
      clientConfig: { service: { name: "nobody", namespace: name } },
      failurePolicy: "Ignore",
      sideEffects: "None",
      admissionReviewVersions: ["v1"],
      namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": name } },
      rules: [{ apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["configmaps"] }],
      ...(matchConditions ? { matchConditions } : {}),
    });
    const own = [{ name: "own", expression: "true" }];
    const configuration = { apiVersion: "admissionregistration.k8s.io/v1", kind, webhooks: [hook("with", own), hook("without")] };
    await kubectl(["create", "-f", "-"], JSON.stringify({ ...configuration, metadata: { name } }));
    const copies = [SESSION, "live-kurun-bcdfg"].map((session) => {
      const labels = { "app.kubernetes.io/managed-by": "kurun", "kurun.dev/session": session };
      const metadata = { name: `${name}--${session}`, labels, annotations: { "kurun.dev/namespace": name } };
      return { ...configuration, metadata };
    });
    try {
      const before = await unmoved(kind, name);
      await kubectl(["create", "-f", "-"], JSON.stringify({ apiVersion: "v1", kind: "List", items: copies }));
      await kubectl(["create", "job", "live-kurun-bcdfg", "--image=none", "-n", name]);
      for (const session of [{ namespace: name, name: SESSION }, { namespace: "elsewhere", name: SESSION.replace("b", "x") }]) {
        const condition = { name: conditionName(session), expression: `!(${mineExpression(session, "true")})` };
        await exclude(api, { kind, name, webhooks: ["with.kurun.test", "without.kurun.test"] }, condition);
      }
      const doctor = await KurunProcess.run(["doctor", "-n", name, "--request-timeout", "20s"]);
      const left = doctor.stdout.split("\n").filter((line) => /is left behind/.test(line) && line.includes(name));
      assert.deepEqual(left.map((line) => line.replaceAll(name, "NS")), [
        `sessions: condition ${SESSION}.kurun.dev of validatingwebhookconfiguration/NS is left behind by a kurun that is gone. Remove it: kurun cleanup -n NS`,
        // What to do is said once.
        `sessions: validatingwebhookconfiguration/NS--${SESSION} is left behind by a kurun that is gone`,
      ]);
      // The Service of the copies does not exist either.
      const dead = doctor.stdout.split("\n").filter((line) => line.startsWith("webhooks: ") && line.includes(name));
      assert.deepEqual(dead.map((line) => line.includes(`${name}--`)), [false, false], doctor.stdout);
      const { code, stdout, stderr } = await KurunProcess.run(["cleanup", "-n", name]);
      assert.deepEqual([code, stderr], [0, ""]);
      assert.deepEqual(stdout.replaceAll(name, "NS").trim().split("\n"), [
        `condition ${SESSION}.kurun.dev of validatingwebhookconfiguration/NS removed: session ${SESSION} in namespace NS is gone`,
        `validatingwebhookconfiguration/NS--${SESSION} removed: session ${SESSION} in namespace NS is gone`,
      ]);
      const elsewhere = await KurunProcess.run(["cleanup", "-n", "elsewhere"]);
      assert.match(
        elsewhere.stdout,
        /^condition hook-kurun-xcdfg\.kurun\.dev of \S+ removed: session \S+ in namespace elsewhere is gone\n$/,
      );
      assert.deepEqual(await unmoved(kind, name), before);
      assert.equal(
        await kubectl(["get", kind, "-l", "kurun.dev/session", "-o", "name"]).then((text) => text.includes(`${name}--live`)),
        true,
      );
    } finally {
      const names = [name, ...copies.map(({ metadata }) => metadata.name)];
      await kubectl(["delete", kind, "--ignore-not-found", ...names]);
    }
  },
);

async function temporaryFile(text: string): Promise<{ path: string } & AsyncDisposable> {
  const path = await Deno.makeTempFile({ prefix: "kurun-crd-", suffix: ".json" });
  await Deno.writeTextFile(path, text);
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path) };
}

/** A CustomResourceDefinition whose two versions name a field differently. */
function definition({ name: group }: TestNamespace): Record<string, unknown> {
  const version = (name: string, field: string) => ({
    name,
    served: true,
    storage: name === "v1",
    schema: { openAPIV3Schema: { type: "object", properties: { spec: { type: "object", properties: { [field]: { type: "string" } } } } } },
  });
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `paints.${group}.kurun.test` },
    spec: {
      group: `${group}.kurun.test`,
      scope: "Namespaced",
      names: { plural: "paints", singular: "paint", kind: "Paint" },
      versions: [version("v1", "color"), version("v2", "colour")],
    },
  };
}

/** Answers a ConversionReview (apiextensions.k8s.io/v1). */
async function convert(request: Request): Promise<Response> {
  const { request: { uid, desiredAPIVersion, objects } } = await request.json();
  const convertedObjects = objects.map(({ spec: { color, colour }, ...rest }: ListedObject) => ({
    ...rest,
    apiVersion: desiredAPIVersion,
    spec: desiredAPIVersion.endsWith("/v1") ? { color: colour } : { colour: color },
  }));
  const response = { uid, convertedObjects, result: { status: "Success" } };
  return Response.json({ apiVersion: "apiextensions.k8s.io/v1", kind: "ConversionReview", response });
}

clusterTest(
  "a conversion is answered here, none fails when it is put back, and a killed kurun's is put back by cleanup",
  async (namespace) => {
    using api = await clusterApi();
    const crd = definition(namespace);
    const { name } = crd.metadata as { name: string };
    const group = `${namespace.name}.kurun.test`;
    const paints = `/apis/${group}/v2/namespaces/${namespace.name}/paints`;
    await kubectl(["create", "-f", "-"], JSON.stringify(crd));
    try {
      await kubectl(["wait", "--for=condition=Established", `crd/${name}`, "--timeout=30s"]);
      const items = ["red", "blue", "green"].map((color) => ({
        apiVersion: `${group}/v1`,
        kind: "Paint",
        metadata: { name: color, namespace: namespace.name },
        spec: { color },
      }));
      await kubectl(["create", "-f", "-"], JSON.stringify({ apiVersion: "v1", kind: "List", items }));
      const before = await unmoved("crd", name, "all");

      await using upstream = serveHttp(convert);
      const service = { name: "operator", namespace: namespace.name, path: "/convert" };
      const conversion = { strategy: "Webhook", webhook: { conversionReviewVersions: ["v1"], clientConfig: { service } } };
      await using file = await temporaryFile(JSON.stringify({ ...crd, spec: { ...crd.spec as object, conversion } }));
      const start = () => KurunProcess.start(["webhook", upstream.url, "-f", file.path, "-n", namespace.name, "--servicename", "hook"]);
      await using kurun = start();
      await kurun.waitFor(/^If kurun loses its connection, /m);
      assert.match(kurun.stderr, new RegExp(`^Warning: the program here converts all 3 objects of ${name}, `, "m"));

      const { stdout: listed } = await KurunProcess.run(["ls", "-n", namespace.name]);
      assert.match(listed, new RegExp(`^hook .*Connected .* CustomResourceDefinition/${name}$`, "m"));

      const colours = async () => {
        const { body: { items } } = await api.get<{ items: { spec: { colour?: string } }[] }>(paints);
        return items.map(({ spec }) => spec.colour).join();
      };
      const started = performance.now();
      while (await colours() !== "blue,green,red") assert.ok(performance.now() - started < 10_000, "not converted");
      // Asks until a moment after everything is over.
      const answers: Promise<string>[] = [];
      const timer = setInterval(() => answers.push(colours().catch(String)), 1_000 / 30);
      try {
        await new Promise((resolve) => setTimeout(resolve, 500));
        kurun.signal("SIGINT");
        assert.equal(await kurun.exit, 0);
        await new Promise((resolve) => setTimeout(resolve, 500));
      } finally {
        clearInterval(timer);
      }
      assert.deepEqual([...new Set(await Promise.all(answers))].sort(), [",,", "blue,green,red"]);
      assert.deepEqual(await unmoved("crd", name, "all"), before);

      await using killed = start();
      await killed.waitFor(/^If kurun loses its connection, /m);
      killed.signal("SIGKILL");
      await killed.exit;
      const job = (await kubectl(["get", "jobs", "-n", namespace.name, "-o", "name"])).trim();
      await kubectl(["delete", job, "-n", namespace.name]);
      await assert.rejects(colours(), /conversion webhook for .* failed/);
      const { stdout, stderr } = await KurunProcess.run(["cleanup", "-n", namespace.name]);
      assert.equal(stderr, "");
      const session = job.replace(/.*\//, "");
      assert.equal(
        stdout,
        `conversion of customresourcedefinition/${name} put back: session ${session} in namespace ${namespace.name} is gone\n`,
      );
      assert.deepEqual(await unmoved("crd", name, "all"), before);
      assert.ok(!(await kubectl(["get", "crd", name, "-o", "json", "--show-managed-fields"])).includes('"manager": "kurun"'));
    } finally {
      await kubectl(["delete", "crd", name, "--wait=false"]);
    }
  },
);
