import assert from "node:assert/strict";
import { hookDeployment } from "./hook_deployment.ts";
import { KurunProcess } from "./kurun_process.ts";
import { clusterTest, kubectl, type TestNamespace } from "./kubernetes.ts";
import { serveHttp, type Upstream } from "./upstreams.ts";

/** The first byte of a TLS connection (RFC 8446, 5.1). */
const TLS_HANDSHAKE = 22;
const TOOLBOX = "kurun.test/toolbox:1";

/** Creates objects in a namespace. */
async function create(namespace: TestNamespace, ...items: Record<string, unknown>[]): Promise<void> {
  await kubectl(["create", "-n", namespace.name, "-f", "-"], JSON.stringify({ apiVersion: "v1", kind: "List", items }));
}

/** A Service like those of webhooks' charts, with three ports: one with a named target, one below 1024. */
function webhookService(more: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "hook", labels: { "app.kubernetes.io/managed-by": "Helm" }, annotations: { "meta.helm.sh/release-name": "hook" } },
    spec: {
      selector: { "app.kubernetes.io/name": "hook", "app.kubernetes.io/managed-by": "Helm" },
      ports: [
        { name: "https", port: 443, targetPort: "webhook" },
        { name: "low", port: 81, targetPort: 81 },
        { name: "high", port: 9443, targetPort: 9443 },
      ],
      ...more,
    },
  };
}

/** The Deployment whose Pods that Service selects. */
function pausing(replicas: number): Record<string, unknown> {
  const labels = { "app.kubernetes.io/name": "hook", "app.kubernetes.io/managed-by": "Helm" };
  return hookDeployment(labels, replicas, { image: TOOLBOX, args: ["pause"] });
}

function forwardHook(upstream: Upstream, namespace: TestNamespace, ...args: string[]): KurunProcess {
  return KurunProcess.start(["port-forward", upstream.url, "-n", namespace.name, "--servicename", "hook", ...args]);
}

async function serviceJson(namespace: TestNamespace, name = "hook"): Promise<string> {
  return await kubectl(["get", "service", name, "-n", namespace.name, "--show-managed-fields", "-o", "json"]);
}

clusterTest(
  "a Service without Pods is joined on all its ports, by number and by name, and is byte for byte unchanged after kurun exits",
  async (namespace) => {
    await create(namespace, webhookService(), pausing(0));
    const before = await serviceJson(namespace);
    await using upstream = serveHttp(() => new Response("from here"));
    await using kurun = await forwardHook(upstream, namespace).ready();
    const host = `hook.${namespace.name}.svc`;
    assert.equal(kurun.stdout, [443, 81, 9443].map((port) => `Forwarding http://${host}:${port} -> ${upstream.url}\n`).join(""));
    const address = await namespace.address("hook");
    for (const port of [443, 81, 9443]) {
      assert.equal(await (await fetch(`http://${address}:${port}/`)).text(), "from here");
    }
    assert.equal(await serviceJson(namespace), before);
    assert.equal(await kubectl(["get", "deployment", "hook", "-n", namespace.name, "-o", "jsonpath={.status.replicas}"]), "");
    kurun.signal("SIGINT");
    assert.equal(await kurun.exit, 0);
    assert.equal(await serviceJson(namespace), before);
    assert.deepEqual(await namespace.leftOfKurun(), []);
  },
);

clusterTest("a webhook with failurePolicy Fail that points at the joined Service reaches the local program", async (namespace) => {
  await create(namespace, webhookService(), pausing(0));
  await using _hooks = await webhookFor(namespace);
  await assert.rejects(kubectl(["create", "configmap", "a", "-n", namespace.name]), /failed calling webhook/);
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const upstream = { url: `http://localhost:${listener.addr.port}`, [Symbol.asyncDispose]: () => Promise.resolve() };
  await using _kurun = await forwardHook(upstream, namespace).ready();
  const creation = kubectl(["create", "configmap", "a", "-n", namespace.name]).catch((error: Error) => error.message);
  using call = await listener.accept();
  const first = new Uint8Array(1);
  await call.read(first);
  assert.equal(first[0], TLS_HANDSHAKE);
  call.close();
  assert.match(await creation as string, /failed calling webhook "hook.kurun.test"/);
});

/** A webhook for the namespace's ConfigMaps at the Service's named port; removed when the test ends. */
async function webhookFor(namespace: TestNamespace): Promise<AsyncDisposable> {
  await create(namespace, {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: "ValidatingWebhookConfiguration",
    metadata: { name: namespace.name },
    webhooks: [{
      name: "hook.kurun.test",
      clientConfig: { service: { namespace: namespace.name, name: "hook", path: "/" } },
      rules: [{ operations: ["CREATE"], apiGroups: [""], apiVersions: ["v1"], resources: ["configmaps"] }],
      namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": namespace.name } },
      failurePolicy: "Fail",
      sideEffects: "None",
      timeoutSeconds: 5,
      admissionReviewVersions: ["v1"],
    }],
  });
  return { [Symbol.asyncDispose]: async () => void await kubectl(["delete", "validatingwebhookconfiguration", namespace.name]) };
}

clusterTest("a headless Service is joined on the ports that its callers use", async (namespace) => {
  await create(namespace, webhookService({ clusterIP: "None" }));
  await using upstream = serveHttp(() => new Response("from here"));
  await using _kurun = await forwardHook(upstream, namespace).ready();
  for (const port of [443, 81, 9443]) {
    assert.equal(await (await fetch(`http://hook.${namespace.name}.svc.cluster.local:${port}/`)).text(), "from here");
  }
});

clusterTest("a killed kurun's session at a joined Service is adopted, and the Service is unchanged", async (namespace) => {
  await create(namespace, webhookService(), pausing(0));
  const before = await serviceJson(namespace);
  await using upstream = serveHttp(() => new Response("from here"));
  const killed = await forwardHook(upstream, namespace).ready();
  const sessions = await sessionNames(namespace);
  killed.signal("SIGKILL");
  await killed.exit;
  await using kurun = await forwardHook(upstream, namespace).ready();
  assert.match(kurun.stderr, /^Resumed your session hook-kurun-\w{5}, /m);
  assert.equal(await (await fetch(`http://${await namespace.address("hook")}:81/`)).text(), "from here");
  assert.equal(await serviceJson(namespace), before);
  assert.deepEqual(await sessionNames(namespace), sessions);
});

clusterTest("a killed kurun's Pod at a joined Service does not block a start with different flags", async (namespace) => {
  await create(namespace, webhookService(), pausing(0));
  const before = await serviceJson(namespace);
  await using upstream = serveHttp(() => new Response("from here"));
  const killed = await forwardHook(upstream, namespace).ready();
  killed.signal("SIGKILL");
  await killed.exit;
  await using kurun = await forwardHook(upstream, namespace, "--hold", "1s").ready();
  assert.match(kurun.stderr, /^Replacing your earlier session at Service hook .*: --hold differs$/m);
  assert.equal(await (await fetch(`http://${await namespace.address("hook")}:81/`)).text(), "from here");
  assert.equal(await serviceJson(namespace), before);
});

clusterTest("a Service with live Pods is refused with their names and the command that scales them down", async (namespace) => {
  await create(namespace, webhookService(), pausing(1));
  const pod = await livePod(namespace);
  const { code, stderr } = await KurunProcess.run(["port-forward", "8080", "-n", namespace.name, "--servicename", "hook"]);
  assert.equal(
    stderr,
    `error: Service hook in namespace ${namespace.name} has live Pods behind it: ${pod}.\n` +
      `If these are what you want to replace, scale it down: kubectl scale deployment/hook --replicas=0 -n ${namespace.name}\n` +
      "If not, the selector app.kubernetes.io/managed-by=Helm,app.kubernetes.io/name=hook matches more than your program: " +
      "give the Service a narrower one, or choose another name with --servicename\n",
  );
  assert.equal(code, 3);
  assert.deepEqual(await namespace.leftOfKurun(), []);
});

/** A Service of another workload whose selector also matches the Pods of the Service "hook". */
function siblingService(name: string, more: Record<string, unknown> = {}): Record<string, unknown> {
  const spec = { selector: { "app.kubernetes.io/name": "hook" }, ports: [{ name: "https", port: 8080, targetPort: "webhook" }], ...more };
  return { apiVersion: "v1", kind: "Service", metadata: { name }, spec };
}

clusterTest(
  "a Service that shares its selector is joined alone: neighbours get no Pod of kurun's, and a Pod that gets some of the callers is reported",
  async (namespace) => {
    await create(namespace, webhookService(), pausing(0), siblingService("other"), siblingService("gossip", { clusterIP: "None" }));
    await using upstream = serveHttp(() => new Response("from here"));
    await using kurun = await forwardHook(upstream, namespace, "--pod-port", "9000").ready();
    assert.match(kurun.stderr, /^Joining Service hook by an EndpointSlice; gossip, other select the same Pods and are not served$/m);
    const endpoints = async (service: string) => {
      const args = ["get", "endpointslices", "-n", namespace.name, "-l", `kubernetes.io/service-name=${service}`, "-o", "json"];
      const { items } = JSON.parse(await kubectl(args));
      return items.flatMap(({ endpoints, ports }: { endpoints?: { conditions: unknown }[]; ports?: { name: string; port: number }[] }) =>
        (endpoints ?? []).map(({ conditions }) => [conditions, ports?.map(({ name, port }) => `${name} ${port}`)])
      );
    };
    const ports = ["https 9000", "low 81", "high 9443"];
    assert.deepEqual(await endpoints("hook"), [[{ ready: true, serving: true, terminating: false }, ports]]);
    for (const neighbour of ["other", "gossip"]) assert.deepEqual(await endpoints(neighbour), []);
    await kubectl(["scale", "deployment", "hook", "--replicas=1", "-n", namespace.name]);
    await kurun.waitFor(/^Warning: hook-\S+ is behind Service hook too: some callers reach it and not this machine$/m);
    await kubectl(["scale", "deployment", "hook", "--replicas=0", "-n", namespace.name]);
    await kurun.waitFor(/^Only kurun's Pod is behind Service hook again$/m);
    kurun.signal("SIGINT");
    assert.equal(await kurun.exit, 0);
    while ((await endpoints("hook")).length > 0) await new Promise((resolve) => setTimeout(resolve, 100));
  },
);

clusterTest("a label that another Service selects is refused, and one that none selects is not", async (namespace) => {
  await create(namespace, siblingService("other", { selector: { team: "a" } }));
  await using upstream = serveHttp(() => new Response("from here"));
  const { code, stderr } = await KurunProcess.run(["port-forward", upstream.url, "-n", namespace.name, "-l", "team=a"]);
  assert.match(
    stderr,
    /^error: Service other in namespace .* selects Pods with the labels team=a: with them, kurun's Pod would get their callers too\.\nUse other labels \(--label\)\n$/,
  );
  assert.equal(code, 3);
  assert.deepEqual(await namespace.leftOfKurun(), []);
  await using _kurun = await KurunProcess.start(["port-forward", upstream.url, "-n", namespace.name, "-l", "team=b"]).ready();
});

clusterTest(
  "kurun waits, with a message, until a Service that is being removed is gone, and Ctrl+C ends the wait immediately",
  async (namespace) => {
    const service = webhookService();
    await create(namespace, { ...service, metadata: { ...service.metadata as Record<string, unknown>, finalizers: ["kurun.test/hold"] } });
    await kubectl(["delete", "service", "hook", "-n", namespace.name, "--wait=false"]);
    await using upstream = serveHttp(() => new Response("from here"));
    const waits = /^Waiting until service\/hook is deleted\n/;
    const ended = forwardHook(upstream, namespace);
    await ended.waitFor(waits);
    ended.signal("SIGINT");
    assert.equal(await ended.exit, 0);
    assert.match(ended.stderr, new RegExp(`${waits.source}$`));
    assert.deepEqual(await namespace.leftOfKurun(), []);

    await using kurun = forwardHook(upstream, namespace);
    await kurun.waitFor(waits);
    await kubectl(["patch", "service", "hook", "-n", namespace.name, "--type", "merge", "-p", '{"metadata":{"finalizers":null}}']);
    await kurun.ready();
    assert.equal(kurun.stdout, `Forwarding http://hook.${namespace.name}.svc:80 -> ${upstream.url}\n`);
    assert.equal(await (await fetch(`http://${await namespace.address("hook")}/`)).text(), "from here");
  },
);

/** Waits until the Service has an endpoint. @returns the name of its Pod */
async function livePod(namespace: TestNamespace): Promise<string> {
  const args = ["get", "endpointslices", "-n", namespace.name, "-l", "kubernetes.io/service-name=hook"];
  for (;;) {
    const name = await kubectl([...args, "-o", "jsonpath={.items[*].endpoints[*].targetRef.name}"]);
    if (name !== "") return name;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function sessionNames(namespace: TestNamespace): Promise<string[]> {
  const list = await kubectl(["get", "jobs", "-n", namespace.name, "-o", "jsonpath={.items[*].metadata.name}"]);
  return list.split(" ").filter((name) => name !== "");
}
