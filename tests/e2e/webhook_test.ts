import assert from "node:assert/strict";
import { denoImage } from "../cluster/deno_images.ts";
import { CreateLoad } from "./create_load.ts";
import { hookDeployment } from "./hook_deployment.ts";
import { KurunProcess } from "./kurun_process.ts";
import { clusterTest, kubectl, type TestNamespace } from "./kubernetes.ts";
import { configure, Webhook } from "./webhook.ts";

/** Creates a ConfigMap. @returns its annotations, with what the webhook added */
async function annotationsOfNew(namespace: TestNamespace, name: string): Promise<Record<string, string>> {
  const configMap = { apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace: namespace.name } };
  return JSON.parse(await kubectl(["create", "-f", "-", "-o", "json"], JSON.stringify(configMap))).metadata.annotations;
}

clusterTest(
  "the API server calls a local webhook through three ports of a Service without Pods, and creates fail with kurun's message without it",
  async (namespace) => {
    const service = {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "hook", namespace: namespace.name },
      spec: {
        selector: { app: "hook" },
        ports: [
          { name: "https", port: 443, targetPort: "https" },
          { name: "low", port: 8443, targetPort: 443 },
          { name: "high", port: 9443, targetPort: 9443 },
        ],
      },
    };
    await kubectl(["create", "-f", "-"], JSON.stringify(service));
    const read = () => kubectl(["get", "service", "hook", "-n", namespace.name, "-o", "json", "--show-managed-fields"]);
    const before = await read();
    await using webhook = await Webhook.start(namespace, "hook");
    const args = ["port-forward", webhook.url, "-n", namespace.name, "--servicename", "hook", "--tlssecret", "hook-tls", "--hold", "1s"];
    await using kurun = await KurunProcess.start([...args, "--ttl", "30s"]).ready();
    for (const port of [443, 8443, 9443]) {
      await using _configuration = await configure(namespace, { service: "hook", port }, webhook.ca);
      assert.equal((await annotationsOfNew(namespace, `asked-at-${port}`))["always-annotate-this"], "true");
    }
    await using _configuration = await configure(namespace, { service: "hook", port: 443 }, webhook.ca);
    kurun.signal("SIGKILL");
    await kurun.exit;
    const started = performance.now();
    await assert.rejects(annotationsOfNew(namespace, "unanswered"), /kurun: nobody is connected|EOF|may have been delivered/);
    assert.ok(performance.now() - started < 3_000, `${performance.now() - started} ms`);
    await assert.rejects(annotationsOfNew(namespace, "unanswered"), /kurun: nobody is connected to session/);
    await using again = await KurunProcess.start(args).ready();
    assert.equal((await annotationsOfNew(namespace, "asked-again"))["always-annotate-this"], "true");
    again.signal("SIGINT");
    assert.equal(await again.exit, 0);
    assert.equal(await read(), before);
  },
);

/** The webhook that the Service was made for, on port 9443: it allows everything and changes nothing. */
function original(replicas: number): Record<string, unknown> {
  const program = `const read = (name) => Deno.readTextFileSync("/tls/tls." + name);
    Deno.serve({ hostname: "::", port: 9443, cert: read("crt"), key: read("key") }, async (request) =>
      Response.json({ apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview",
        response: { uid: (await request.json()).request.uid, allowed: true } }));`;
  const container = {
    image: denoImage("distroless"),
    args: ["eval", program],
    readinessProbe: { tcpSocket: { port: 9443 }, periodSeconds: 1 },
    volumeMounts: [{ name: "tls", mountPath: "/tls", readOnly: true }],
  };
  return hookDeployment({ app: "hook" }, replicas, container, [{ name: "tls", secret: { secretName: "hook-tls" } }]);
}

/** Starts 30 creates a second, each answered by the webhook here or by the original. */
function createLoad(namespace: TestNamespace): Promise<CreateLoad> {
  return CreateLoad.start(namespace.name, 30, (annotations) => annotations["always-annotate-this"] ? "here" : "original");
}

clusterTest("no webhook call fails when another kurun takes over with different flags", async (namespace) => {
  await kubectl(["create", "service", "clusterip", "hook", "--tcp=443:9443", "-n", namespace.name]);
  await using webhook = await Webhook.start(namespace, "hook");
  await using _configuration = await configure(namespace, { service: "hook", port: 443 }, webhook.ca);
  const args = ["port-forward", webhook.url, "-n", namespace.name, "--servicename", "hook", "--tlssecret", "hook-tls"];
  // It renews every 2 s, so that it notices the end of its session before the next Pod is ready.
  await using kurun = await KurunProcess.startOn("desk-7", [...args, "--ttl", "6s"]).ready();
  await using load = await createLoad(namespace);
  await using next = KurunProcess.startOn("desk-8", [...args, "--takeover"]);
  await next.ready();
  assert.equal(await kurun.exit, 4);
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  assert.deepEqual(Object.keys(await load.answers()), ["here"]);
  assert.match(kurun.stderr, /^error: this kurun lost session hook-kurun-\w{5}: replaced by \S+ from desk-8$/m);
});

clusterTest("no webhook call fails when kurun exits after the original webhook is ready", async (namespace) => {
  await kubectl(["create", "service", "clusterip", "hook", "--tcp=443:9443", "-n", namespace.name]);
  await using webhook = await Webhook.start(namespace, "hook");
  await kubectl(["create", "-n", namespace.name, "-f", "-"], JSON.stringify(original(0)));
  await using _configuration = await configure(namespace, { service: "hook", port: 443 }, webhook.ca);
  const args = ["port-forward", webhook.url, "-n", namespace.name, "--servicename", "hook", "--tlssecret", "hook-tls"];
  await using kurun = await KurunProcess.start(args).ready();
  await using load = await createLoad(namespace);
  await kubectl(["scale", "deployment", "hook", "--replicas=1", "-n", namespace.name]);
  await kubectl(["rollout", "status", "deployment", "hook", "-n", namespace.name, "--timeout=60s"]);
  kurun.signal("SIGINT");
  assert.equal(await kurun.exit, 0);
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  const answers = await load.answers();
  assert.deepEqual(Object.keys(answers).sort(), ["here", "original"], JSON.stringify(answers));
  assert.ok(answers["original"]! > 30, `${answers["original"]}`);
});
