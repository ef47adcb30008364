import assert from "node:assert/strict";
import { denoImage } from "../cluster/deno_images.ts";
import { Api } from "../../k8s/api/api.ts";
import { loadClusterAccess } from "../../k8s/kubeconfig/kubeconfig.ts";
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
    Deno.serve({ port: 9443, cert: read("crt"), key: read("key") }, async (request) =>
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

/** Creates ConfigMaps as dry runs, 30 a second, until a promise settles. @returns who answered each: the webhook here, the original, or the error */
async function createUntil(namespace: TestNamespace, end: Promise<unknown>): Promise<string[]> {
  const api = new Api(await loadClusterAccess({}, { get: (name) => Deno.env.get(name), interactive: false }), { userAgent: "test" });
  const path = `/api/v1/namespaces/${namespace.name}/configmaps`;
  const body = { apiVersion: "v1", kind: "ConfigMap", metadata: { generateName: "asked-" } };
  const going: Promise<string>[] = [];
  const create = async () => {
    try {
      const { body: created } = await api.request<{ metadata: { annotations?: Record<string, string> } }>("POST", path, {
        body,
        query: { dryRun: "All" },
      });
      return created.metadata.annotations?.["always-annotate-this"] ? "here" : "original";
    } catch (error) {
      return (error as Error).message;
    }
  };
  const timer = setInterval(() => going.push(create()), 1_000 / 30);
  await end.finally(() => clearInterval(timer));
  const answers = await Promise.all(going);
  api.close();
  return answers;
}

clusterTest("no webhook call fails when another kurun takes over with different flags", async (namespace) => {
  await kubectl(["create", "service", "clusterip", "hook", "--tcp=443:9443", "-n", namespace.name]);
  await using webhook = await Webhook.start(namespace, "hook");
  await using _configuration = await configure(namespace, { service: "hook", port: 443 }, webhook.ca);
  const args = ["port-forward", webhook.url, "-n", namespace.name, "--servicename", "hook", "--tlssecret", "hook-tls"];
  // It renews every 2 s, so that it notices the end of its session before the next Pod is ready.
  await using kurun = await KurunProcess.startOn("desk-7", [...args, "--ttl", "6s"]).ready();
  const ended = Promise.withResolvers<void>();
  const creating = createUntil(namespace, ended.promise);
  await using next = KurunProcess.startOn("desk-8", [...args, "--takeover"]);
  try {
    await next.ready();
    assert.equal(await kurun.exit, 4);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
  } finally {
    ended.resolve();
  }
  assert.deepEqual((await creating).filter((answer) => answer !== "here"), []);
  assert.match(kurun.stderr, /^error: this kurun lost session hook-kurun-\w{5}: replaced by \S+ from desk-8$/m);
});

clusterTest("no webhook call fails when kurun exits after the original webhook is ready", async (namespace) => {
  await kubectl(["create", "service", "clusterip", "hook", "--tcp=443:9443", "-n", namespace.name]);
  await using webhook = await Webhook.start(namespace, "hook");
  await kubectl(["create", "-n", namespace.name, "-f", "-"], JSON.stringify(original(0)));
  await using _configuration = await configure(namespace, { service: "hook", port: 443 }, webhook.ca);
  const args = ["port-forward", webhook.url, "-n", namespace.name, "--servicename", "hook", "--tlssecret", "hook-tls"];
  await using kurun = await KurunProcess.start(args).ready();
  const ended = Promise.withResolvers<void>();
  const creating = createUntil(namespace, ended.promise);
  try {
    await kubectl(["scale", "deployment", "hook", "--replicas=1", "-n", namespace.name]);
    await kubectl(["rollout", "status", "deployment", "hook", "-n", namespace.name, "--timeout=60s"]);
    kurun.signal("SIGINT");
    assert.equal(await kurun.exit, 0);
    await new Promise((resolve) => setTimeout(resolve, 2_000));
  } finally {
    ended.resolve();
  }
  const answers = Object.groupBy(await creating, (answer) => answer);
  assert.deepEqual(
    Object.keys(answers).sort(),
    ["here", "original"],
    JSON.stringify(Object.entries(answers).map(([k, v]) => [k, v?.length])),
  );
  assert.ok(answers.original!.length > 30, `${answers.original!.length}`);
});
