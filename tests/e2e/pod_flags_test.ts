import assert from "node:assert/strict";
import { Api } from "../../k8s/api/api.ts";
import { ApiError } from "../../k8s/api/api_error.ts";
import { loadClusterAccess } from "../../k8s/kubeconfig/kubeconfig.ts";
import { serverDeployment } from "../../k8s/session/objects/forward_objects.ts";
import { fitResources } from "../../k8s/session/pod/fit_resources.ts";
import { FORWARD_PLAN } from "../forward_plan.ts";
import { SeededRandom } from "../seeded_random.ts";
import { KurunProcess } from "./kurun_process.ts";
import { clusterTest, kubectl, type ListedObject, type TestNamespace } from "./kubernetes.ts";
import { serveHttp } from "./upstreams.ts";

/** The session's running Pod. */
async function runningPod({ name }: TestNamespace): Promise<ListedObject> {
  const { items } = JSON.parse(await kubectl(["get", "pods", "-l", "kurun.dev/session", "-n", name, "-o", "json"]));
  assert.equal(items.length, 1);
  return items[0];
}

/** An object's entry in a list, found by its name. */
function named(list: { name: string }[], name: string): Record<string, unknown> | undefined {
  return list.find((entry) => entry.name === name);
}

clusterTest("labels, port, pull secret and overrides reach the running Pod, and callers are answered", async (namespace) => {
  const { name } = namespace;
  const registry = ["--docker-server=registry.example", "--docker-username=me", "--docker-password=secret"];
  await kubectl(["create", "secret", "docker-registry", "pull-me", ...registry, "-n", name]);
  const [node] = JSON.parse(await kubectl(["get", "nodes", "-o", "json"])).items as [ListedObject];
  const hostname = node.metadata.labels?.["kubernetes.io/hostname"];
  const file = await Deno.makeTempFile({ prefix: "kurun-overrides-", suffix: ".yaml" });
  await Deno.writeTextFile(
    file,
    `nodeSelector: {kubernetes.io/hostname: ${hostname}}
tolerations: [{key: spot, operator: Exists, effect: NoSchedule}]
terminationGracePeriodSeconds: 3
resources:
  requests: {memory: 128Mi, cpu: 10m}
  limits: {cpu: null}
securityContext: {runAsUser: 12345}
`,
  );
  await using upstream = serveHttp(() => new Response("from here"));
  await using kurun = await KurunProcess.start([
    ...["port-forward", upstream.url, "-n", name],
    ...["-l", "team=payments", "--label", "example.com/cost.center=a_1"],
    ...["--pod-port", "9000", "--image-pull-secret", "pull-me", "--server-overrides", `@${file}`],
  ]).ready();
  await Deno.remove(file);
  assert.equal(kurun.remarks, "");
  assert.equal(await (await fetch(`http://${await namespace.address()}/`)).text(), "from here");

  const { metadata, spec, status } = await runningPod(namespace);
  assert.equal(status.phase, "Running");
  assert.equal(metadata.labels?.team, "payments");
  assert.equal(metadata.labels?.["example.com/cost.center"], "a_1");
  assert.deepEqual(spec.imagePullSecrets, [{ name: "pull-me" }]);
  assert.deepEqual(spec.nodeSelector, { "kubernetes.io/hostname": hostname });
  assert.ok(spec.tolerations.some(({ key }: { key: string }) => key === "spot"));
  assert.equal(spec.terminationGracePeriodSeconds, 3);
  assert.deepEqual(spec.securityContext, { runAsNonRoot: true, runAsUser: 12345, seccompProfile: { type: "RuntimeDefault" } });
  const [server] = spec.containers;
  assert.deepEqual(server.resources, { requests: { cpu: "10m", memory: "128Mi" }, limits: { memory: "640Mi" } });
  assert.ok(server.ports.some(({ containerPort }: { containerPort: number }) => containerPort === 9000));
  const { spec: service } = JSON.parse(await kubectl(["get", "service", "kurun", "-n", name, "-o", "json"])) as ListedObject;
  assert.equal(service.ports[0].targetPort, 9000);
});

clusterTest("a Pod port below 1024 needs no root: a restricted namespace admits the Pod, and callers are answered", async (namespace) => {
  await using upstream = serveHttp(() => new Response("from here"));
  await using kurun = await KurunProcess.start(["port-forward", upstream.url, "-n", namespace.name, "--pod-port", "80"]).ready();
  assert.equal(kurun.remarks, "");
  assert.equal(await (await fetch(`http://${await namespace.address()}/`)).text(), "from here");
  const { status: { podIP } } = await runningPod(namespace);
  assert.equal(await (await fetch(`http://${podIP.includes(":") ? `[${podIP}]` : podIP}:80/`)).text(), "from here");
});

clusterTest("--pod-port may be the default control port, which then moves", async (namespace) => {
  await using upstream = serveHttp(() => new Response("from here"));
  await using _kurun = await KurunProcess.start(["port-forward", upstream.url, "-n", namespace.name, "--pod-port", "8333"]).ready();
  assert.equal(await (await fetch(`http://${await namespace.address()}/`)).text(), "from here");
  const [server] = (await runningPod(namespace)).spec.containers;
  assert.equal(named(server.ports, "kurun-control")?.["containerPort"], 8334);
});

for (const format of ["yaml", "json"]) {
  clusterTest(`--dry-run=client -o ${format} contacts nobody, and the cluster accepts what it prints`, async (namespace) => {
    let connections = 0;
    using nobody = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    (async () => {
      for await (const connection of nobody) {
        connections++;
        connection.close();
      }
    })();
    const { code, stdout, stderr } = await KurunProcess.run([
      ...["port-forward", "8080", "-n", namespace.name, "--server", `https://127.0.0.1:${nobody.addr.port}`],
      ...["--dry-run=client", "-o", format, "-l", "team=payments", "--image-pull-secret", "pull-me"],
      ...["--tlssecret", "web-tls", "--server-overrides", '{"nodeSelector":{"disk":"ssd"}}'],
    ]);
    assert.equal(stderr, "");
    assert.equal(code, 0);
    assert.equal(connections, 0);

    const taken = await kubectl(["create", "--dry-run=server", "--warnings-as-errors", "-o", "name", "-f", "-"], stdout);
    assert.deepEqual(taken.trim().split("\n"), [
      "job.batch/kurun-kurun-xxxxx",
      "service/kurun-kurun",
      "service/kurun",
      "secret/kurun-kurun-xxxxx",
      "configmap/kurun-kurun-xxxxx",
      "deployment.apps/kurun-kurun-xxxxx",
    ]);
    assert.deepEqual(await namespace.left(), []);
  });
}

clusterTest("a dry run prints what is created, except for names, keys and times", async (namespace) => {
  await using upstream = serveHttp(() => new Response("from here"));
  // With --ttl 0, since a deadline is moved while kurun runs.
  const flags = ["-l", "team=payments", "--pod-port", "9000", "--serviceport", "8080", "--ttl", "0"];
  const args = ["port-forward", upstream.url, "-n", namespace.name, ...flags];
  const { stdout } = await KurunProcess.run([...args, "--dry-run=client", "-o", "json"]);
  await using _kurun = await KurunProcess.start(args).ready();
  const session = (await runningPod(namespace)).metadata.labels?.["kurun.dev/session"] as string;
  const printed = JSON.parse(stdout.replaceAll("kurun-kurun-xxxxx", session)).items as ListedObject[];
  assert.equal(printed.length, 6);
  for (const { kind, metadata, spec, stringData, data } of printed) {
    const made: ListedObject = JSON.parse(await kubectl(["get", kind, metadata.name, "-n", namespace.name, "-o", "json"]));
    assertHolds(made.metadata.labels, metadata.labels, `${kind}'s labels`);
    assertHolds(made.spec, spec, kind);
    assert.deepEqual(Object.keys(made.data ?? {}).sort(), Object.keys(stringData ?? data ?? {}).sort());
    assert.deepEqual(made.metadata.ownerReferences?.length, metadata.ownerReferences?.length);
  }
});

/** Asserts that an object contains another: the API server adds defaults, but removes nothing. */
function assertHolds(whole: unknown, part: unknown, where: string): void {
  if (typeof part !== "object" || part === null) return assert.equal(whole, part, where);
  assert.ok(typeof whole === "object" && whole !== null, `${where} is missing`);
  if (Array.isArray(part)) assert.equal((whole as unknown[]).length, part.length, where);
  for (const [field, value] of Object.entries(part)) assertHolds((whole as Record<string, unknown>)[field], value, `${where}.${field}`);
}

/** Overrides that kurun accepts and the API server refuses. */
const REFUSED = [
  ['{"resources":{"limits":{"memory":"lots"}}}', /^error: --server-overrides: .*; nothing was created: quantities must match /],
  [
    '{"resources":{"limits":{"memory":"64Mi"}}}',
    /^error: --server-overrides: .*: Invalid value: "96Mi": must be less than or equal to memory limit/,
  ],
  ['{"nodeSelectr":{}}', /^error: --server-overrides: .*unknown field "nodeSelectr"/],
  ['{"nodeSelector":"ssd"}', /^error: --server-overrides: .*nodeSelector of type map/],
] as const;

clusterTest("overrides that the API server would refuse are refused before anything is created, naming the flag", async (namespace) => {
  for (const [overrides, sentence] of REFUSED) {
    const { code, stdout, stderr } = await KurunProcess.run([
      "port-forward",
      "8080",
      "-n",
      namespace.name,
      "--server-overrides",
      overrides,
    ]);
    assert.match(stderr, sentence);
    assert.equal(stderr.trimEnd().split("\n").length, 1, stderr);
    assert.equal(stdout, "");
    assert.equal(code, 2);
  }
  const events = JSON.parse(await kubectl(["get", "events,jobs", "-n", namespace.name, "-o", "json"])).items;
  assert.deepEqual(events, [], "not even for a moment");
});

clusterTest("the Pod fits a LimitRange and the quotas of its priority class, and callers are answered", async (namespace) => {
  const { name } = namespace;
  const uid = await kubectl(["get", "namespace", name, "-o", "jsonpath={.metadata.uid}"]);
  const owner = { apiVersion: "v1", kind: "Namespace", name, uid };
  const quota = (quotaName: string, hard: unknown, operator?: string) => ({
    apiVersion: "v1",
    kind: "ResourceQuota",
    metadata: { name: quotaName },
    spec: {
      hard,
      ...(operator ? { scopeSelector: { matchExpressions: [{ scopeName: "PriorityClass", operator, values: [name] }] } } : {}),
    },
  });
  const limits = [{ type: "Container", max: { memory: "512Mi" }, maxLimitRequestRatio: { cpu: "10", memory: "4" } }];
  const items = [
    { apiVersion: "scheduling.k8s.io/v1", kind: "PriorityClass", metadata: { name, ownerReferences: [owner] }, value: 1 },
    { apiVersion: "v1", kind: "LimitRange", metadata: { name: "ratio" }, spec: { limits } },
    quota("all", { "limits.ephemeral-storage": "1Gi" }),
    quota("mine", { "limits.cpu": "500m" }, "In"),
    quota("others", { pods: "0" }, "NotIn"),
  ];
  await kubectl(["create", "-n", name, "-f", "-"], JSON.stringify({ apiVersion: "v1", kind: "List", items }));
  await using upstream = serveHttp(() => new Response("from here"));
  const overrides = ["--server-overrides", JSON.stringify({ priorityClassName: name })];
  await using _kurun = await KurunProcess.start(["port-forward", upstream.url, "-n", name, ...overrides]).ready();
  assert.equal(await (await fetch(`http://${await namespace.address()}/`)).text(), "from here");
  const { spec } = await runningPod(namespace);
  assert.equal(spec.priorityClassName, name);
  assert.deepEqual(spec.containers[0].resources, {
    requests: { cpu: "50m", memory: "128Mi", "ephemeral-storage": "16Mi" },
    limits: { cpu: "500m", memory: "512Mi", "ephemeral-storage": "256Mi" },
  });
});

clusterTest(
  "the API server admits what was fitted to generated LimitRanges, and refuses the usual resources where others were fitted",
  async ({ name }) => {
    const api = new Api(await loadClusterAccess({}, { get: (name) => Deno.env.get(name), interactive: false }), { userAgent: "test" });
    const random = new SeededRandom(5);
    const amounts = { cpu: ["50m", "200m", "1", "4"], memory: ["100Mi", "256Mi", "512M", "2Gi"] };
    const some = (values: Readonly<Record<string, readonly string[]>>) =>
      Object.fromEntries(Object.entries(values).filter(() => random.chance(0.4)).map(([name, values]) => [name, random.pick(values)]));
    const ratios = ["1", "1500m", "4", "10"];
    const path = `/api/v1/namespaces/${name}/limitranges/generated`;
    const isAdmitted = async (resources: ReturnType<typeof fitResources>) => {
      const { metadata, spec } = serverDeployment({ ...FORWARD_PLAN, namespace: name, resources, runAsUser: 65532 }, "none").spec!.template;
      const pod = { apiVersion: "v1", kind: "Pod", metadata: { ...metadata, name: "fitted" }, spec };
      return await api.create(`/api/v1/namespaces/${name}/pods`, pod, { query: { dryRun: "All" } }).then(() => true, (error) => {
        if (error instanceof ApiError && /usage per|ratio/.test(error.message)) return false;
        throw error;
      });
    };
    const seen = { usual: 0, fitted: 0, none: 0 };
    for (let round = 0; round < 16; round++) {
      // The API server replaces a minimum above the maximum with an error of its own.
      const [bound, values] = [random.pick(["min", "max"]), some(amounts)];
      const spec = {
        limits: [{ type: random.pick(["Container", "Pod"]), [bound]: values, maxLimitRequestRatio: some({ cpu: ratios, memory: ratios }) }],
      };
      await api.apply(path, { apiVersion: "v1", kind: "LimitRange", metadata: { name: "generated" }, spec }, { force: true });
      const fitted = fitResources([{ spec }], [], "");
      const isUsual = fitted?.limits.cpu === "2" && fitted.limits.memory === "640Mi" && fitted.requests.cpu === "20m" &&
        fitted.requests.memory === "96Mi";
      seen[fitted ? isUsual ? "usual" : "fitted" : "none"]++;
      // The API server reads LimitRanges from a watch.
      for (let tries = 0;; tries++) {
        if (await isAdmitted(undefined) === isUsual && (!fitted || await isAdmitted(fitted))) break;
        assert.ok(tries < 50, JSON.stringify({ spec, fitted }));
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
    api.close();
    assert.ok(seen.usual > 0 && seen.fitted > 5, JSON.stringify(seen));
  },
);
