import assert from "node:assert/strict";
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
  const { status } = await runningPod(namespace);
  assert.equal(await (await fetch(`http://${status.podIP}:80/`)).text(), "from here");
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
