import assert from "node:assert/strict";
import { Api } from "../../k8s/api/api.ts";
import { loadClusterAccess } from "../../k8s/kubeconfig/kubeconfig.ts";
import { KubeconfigFile } from "./kubeconfig_file.ts";
import { KurunProcess } from "./kurun_process.ts";
import { clusterTest, kubectl, type TestNamespace } from "./kubernetes.ts";
import { serveHttp, type Upstream } from "./upstreams.ts";

/** The program on this machine: it answers all reviews, marks what it may mutate, and counts what it was asked. It is late for `late`. */
function reviewer(mark: string): Upstream & { asked: string[] } {
  const asked: string[] = [];
  const server = serveHttp(async (request) => {
    const { request: { uid, name, operation } } = await request.json();
    const { pathname } = new URL(request.url);
    asked.push(`${pathname} ${operation} ${name}`);
    if (name === "late" && pathname === "/mutate") await new Promise((resolve) => setTimeout(resolve, 3_500));
    if (name === "invalid") return Response.json({ response: { uid: "another", allowed: true } });
    const patch = btoa(JSON.stringify([{ op: "add", path: "/metadata/labels", value: { by: mark } }]));
    const change = pathname === "/mutate" ? { patchType: "JSONPatch", patch } : {};
    return Response.json({ apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", response: { uid, allowed: true, ...change } });
  });
  return { ...server, asked };
}

/** A configuration for the ConfigMaps of namespaces with this test's label. Its webhook's Service does not exist. */
function configuration(kind: "Mutating" | "Validating", namespace: TestNamespace): Record<string, unknown> {
  return {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: `${kind}WebhookConfiguration`,
    metadata: { name: `${namespace.name}-${kind.toLowerCase()}`, annotations: { "cert-manager.io/inject-ca-from": "a/b" } },
    webhooks: [{
      name: `${kind.toLowerCase()}.kurun.test`,
      clientConfig: { service: { name: "no-such-service", namespace: namespace.name, path: `/${kind.toLowerCase().replace("ing", "e")}` } },
      rules: [{ operations: ["CREATE"], apiGroups: [""], apiVersions: ["v1"], resources: ["configmaps"] }],
      namespaceSelector: { matchLabels: { "kurun.test/of": namespace.name } },
      failurePolicy: "Ignore",
      timeoutSeconds: 2,
      sideEffects: "None",
      admissionReviewVersions: ["v1"],
      ...(kind === "Validating" ? { matchConditions: [{ name: "theirs", expression: "object.metadata.name != 'theirs'" }] } : {}),
    }],
  };
}

const KINDS = "mutatingwebhookconfigurations,validatingwebhookconfigurations";

/** A test's configurations as they are stored, with those that kurun made for them, without what each write changes. */
async function configurations(namespace: TestNamespace): Promise<string> {
  const { items } = JSON.parse(await kubectl(["get", KINDS, "-o", "json", "--show-managed-fields"]));
  const ours = (items as { metadata: Record<string, unknown> }[]).filter(({ metadata }) => `${metadata.name}`.startsWith(namespace.name));
  for (const { metadata } of ours) for (const key of ["resourceVersion", "generation"]) delete metadata[key];
  return JSON.stringify(ours, null, 1);
}

/** Creates a ConfigMap. @returns its labels */
async function createConfigMap(namespace: string, name: string): Promise<Record<string, string> | undefined> {
  const configMap = { apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace } };
  return JSON.parse(await kubectl(["create", "-f", "-", "-o", "json"], JSON.stringify(configMap))).metadata.labels;
}

clusterTest("kurun webhook answers the requests of --only instead of the original, and leaves it as it was", async (namespace) => {
  await kubectl(["label", "namespace", namespace.name, `kurun.test/of=${namespace.name}`]);
  const both = ["Mutating" as const, "Validating" as const].map((kind) => configuration(kind, namespace));
  await kubectl(["create", "-f", "-"], JSON.stringify({ apiVersion: "v1", kind: "List", items: both }));
  try {
    const before = await configurations(namespace);
    await using program = reviewer("kurun");
    const names = both.flatMap(({ metadata }) => ["--config", (metadata as { name: string }).name]);
    const started = performance.now();
    await using kurun = KurunProcess.start(
      ["webhook", program.url, "-n", namespace.name, ...names, "--only", `namespace=${namespace.name}`, "-v", "--timeout-seconds", "3"],
    );
    await kurun.waitFor(/^If kurun loses its connection, /m);
    assert.deepEqual(await createConfigMap(namespace.name, "mine"), { by: "kurun" });
    assert.ok(performance.now() - started < 20_000, kurun.stderr);
    assert.deepEqual(program.asked, ["/mutate CREATE mine", "/validate CREATE mine"]);
    const reviewed = (name: string) => `CREATE configmaps/${name} in ${namespace.name} by \\S+`;
    await kurun.waitFor(new RegExp(`^\\S+ ${reviewed("mine")} -> allowed, 1 patch, \\S+ ms$`, "m"));
    assert.equal(await createConfigMap(namespace.name, "invalid"), undefined);
    await kurun.waitFor(
      new RegExp(`^invalid answer to ${reviewed("invalid")} \\(allowed\\): response\\.uid must be the request's uid `, "m"),
    );
    assert.equal(await createConfigMap(namespace.name, "late"), undefined);
    await kurun.waitFor(new RegExp(`^waiting 2 s of 3: ${reviewed("late")}$`, "m"));
    await kurun.waitFor(new RegExp(`^the API server gave up after 3 s: ${reviewed("late")} was allowed; the program is still at it$`, "m"));
    // Once Deno.serve has read the end of the API server's connection, it closes its own in place of the answer.
    const afterwards = [
      `answered after 3.\\d s, but the API server gave up after 3 s: ${reviewed("late")} was allowed`,
      `no answer to ${reviewed("late")} \\(allowed\\): closed without an answer`,
    ];
    await kurun.waitFor(new RegExp(`^(${afterwards.join("|")})$`, "m"));
    const asked = program.asked.length;
    kurun.signal("SIGINT");
    assert.equal(await kurun.exit, 0, kurun.stderr);
    assert.equal(await createConfigMap(namespace.name, "theirs"), undefined);
    assert.equal(program.asked.length, asked);
    assert.equal(await configurations(namespace), before);
    assert.deepEqual(await namespace.leftOfKurun(), []);
  } finally {
    for (const { kind, metadata } of both as { kind: string; metadata: { name: string } }[]) {
      await kubectl(["delete", kind, metadata.name]);
    }
  }
});

/** Creates ConfigMaps as dry runs, 30 a second, until stopped. @returns a function that stops, and says who answered each: the program, nobody, or the error */
async function createOften(namespace: TestNamespace): Promise<() => Promise<string[]>> {
  const api = new Api(await loadClusterAccess({}, { get: (name) => Deno.env.get(name), interactive: false }), { userAgent: "test" });
  const path = `/api/v1/namespaces/${namespace.name}/configmaps`;
  const body = { apiVersion: "v1", kind: "ConfigMap", metadata: { generateName: "asked-" } };
  const going: Promise<string>[] = [];
  const create = () =>
    api.create<{ metadata: { labels?: Record<string, string> } }>(path, body, { query: { dryRun: "All" } })
      .then(({ body: { metadata } }) => metadata.labels?.by ?? "nobody", (error) => String(error.message));
  const timer = setInterval(() => going.push(create()), 1_000 / 30);
  return async () => {
    clearInterval(timer);
    const answers = await Promise.all(going);
    api.close();
    return answers;
  };
}

clusterTest(
  "no create is refused while sessions with failurePolicy Fail start, are taken over, interrupted and stopped",
  async (namespace) => {
    await kubectl(["label", "namespace", namespace.name, `kurun.test/of=${namespace.name}`]);
    await using program = reviewer("kurun");
    const file = await Deno.makeTempFile({ suffix: ".yaml" });
    await Deno.writeTextFile(file, JSON.stringify(configuration("Mutating", namespace)));
    const before = await configurations(namespace);
    const place = ["-n", namespace.name, "--servicename", "hooks"];
    const args = ["webhook", program.url, "-f", file, "--failure-policy", "Fail", ...place];
    const ready = /^If kurun loses its connection, /m;
    const stopCreating = await createOften(namespace);
    let answers: string[];
    try {
      await using first = KurunProcess.startOn("desk-7", args);
      await first.waitFor(ready);
      await using second = KurunProcess.startOn("desk-8", [...args, "--takeover"]);
      await second.waitFor(ready, 120_000);
      assert.equal(await first.exit, 4, first.stderr);
      second.signal("SIGINT");
      assert.equal(await second.exit, 0, second.stderr);
      await using third = KurunProcess.startOn("desk-7", args);
      await third.waitFor(ready, 120_000);
      const stopped = await KurunProcess.run(["stop", "hooks", "-n", namespace.name, "--force"]);
      assert.equal(stopped.code, 0, stopped.stderr);
      assert.equal(await third.exit, 4, third.stderr);
    } finally {
      answers = await stopCreating();
      await Deno.remove(file);
    }
    const counts = Object.fromEntries(Object.entries(Object.groupBy(answers, (answer) => answer)).map(([who, all]) => [who, all?.length]));
    assert.deepEqual(Object.keys(counts).sort(), ["kurun", "nobody"], JSON.stringify(counts));
    assert.equal(await configurations(namespace), before);
  },
);

clusterTest(
  "overlapping sessions are refused, a killed one leaves only what is inert, and the next start removes it",
  async (namespace) => {
    await kubectl(["label", "namespace", namespace.name, `kurun.test/of=${namespace.name}`]);
    const original = configuration("Mutating", namespace);
    const { name } = original.metadata as { name: string };
    await kubectl(["create", "-f", "-"], JSON.stringify(original));
    try {
      const before = await configurations(namespace);
      await using program = reviewer("kurun");
      const args = ["webhook", program.url, "-n", namespace.name, "--config", name];
      const ready = /^If kurun loses its connection, /m;
      await using killed = KurunProcess.start([...args, "--only", "name=mine*", "--ttl", "10s"]);
      await killed.waitFor(ready);
      const overlapping = [...args, "--servicename", "others", "--only", `namespace=${namespace.name}`];
      const { code, stderr } = await KurunProcess.run(overlapping);
      assert.equal(code, 3, stderr);
      assert.match(stderr, new RegExp(`${name} is already answered by .*, for named mine\\*\nBoth sessions would answer .*mine`));
      await kubectl(["replace", "-f", "-"], JSON.stringify(original));
      await killed.waitFor(/^MutatingWebhookConfiguration .* was put back as it was; kurun leaves this session's requests out/m, 15_000);
      assert.match(await configurations(namespace), /!\(authorizer\.serviceAccount/);
      killed.signal("SIGKILL");
      await killed.exit;
      const until = performance.now() + 25_000;
      while (await kubectl(["get", "rolebindings", "-n", namespace.name, "-o", "name"]) !== "") {
        assert.ok(performance.now() < until, "the session did not expire");
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
      assert.equal(await createConfigMap(namespace.name, "mine"), undefined);
      assert.notEqual(await configurations(namespace), before);
      await using next = KurunProcess.start(overlapping);
      await next.waitFor(ready);
      assert.match(next.stderr, /^Removed what session kurun-webhook-\S+ left: condition /m);
      assert.deepEqual(await createConfigMap(namespace.name, "mine-too"), { by: "kurun" });
      next.signal("SIGINT");
      assert.equal(await next.exit, 0, next.stderr);
      const managed = /"managedFields": \[[^]*?\n {3}\]/g;
      assert.equal((await configurations(namespace)).replace(managed, ""), before.replace(managed, ""));
    } finally {
      await kubectl(["delete", "mutatingwebhookconfiguration", name]);
    }
  },
);

clusterTest("the Role that doctor prints for webhook is enough, and without it kurun names what is missing", async (namespace) => {
  const { name } = namespace;
  await kubectl(["label", "namespace", name, `kurun.test/of=${name}`]);
  await kubectl(["create", "serviceaccount", "kurun", "-n", name]);
  const token = (await kubectl(["create", "token", "kurun", "-n", name])).trim();
  await using kubeconfig = await KubeconfigFile.create((kubeconfig) => {
    kubeconfig.users = [{ name: "least", user: { token } }];
    Object.assign(kubeconfig.contexts[0]!.context, { user: "least" });
  });
  const user = `system:serviceaccount:${name}:kurun`;
  const hooks = ["--servicename", "hooks"];
  // The names of what is printed do not depend on the Service: the second Role would replace the first.
  const printedRole = async (role: string, ...service: string[]) => {
    const { stdout } = await KurunProcess.run(["doctor", "--rbac", "--for", "webhook", ...service, "-n", name, "--as", user]);
    return stdout.replaceAll(/^( +name: "?)kurun-webhook(?=["\n]|-system)/gm, `$1${name}-${role}`);
  };
  await using program = reviewer("kurun");
  const file = await Deno.makeTempFile({ suffix: ".yaml" });
  await Deno.writeTextFile(file, JSON.stringify(configuration("Mutating", namespace)));
  const args = ["webhook", program.url, "-f", file, "-n", name, "--kubeconfig", kubeconfig.path];
  try {
    const refused = await KurunProcess.run([...args, ...hooks]);
    assert.equal(refused.code, 2, refused.stderr);
    assert.match(refused.stderr, /cannot be read: .*\n.*doctor --rbac --for webhook -n \S+ --servicename hooks\n.*kurun port-forward tls:/);
    const roles = await Promise.all([printedRole("named", ...hooks), printedRole("usual")]);
    await kubectl(["apply", "-n", name, "-f", "-"], roles.join("---\n"));
    await using named = KurunProcess.start([...args, ...hooks, "--only", "name=named"]);
    await using usual = KurunProcess.start([...args, "--only", "name=usual"]);
    await Promise.all([named, usual].map((kurun) => kurun.waitFor(/^If kurun loses its connection, /m)));
    for (const one of ["named", "usual"]) assert.deepEqual(await createConfigMap(name, one), { by: "kurun" });
    for (const kurun of [named, usual]) kurun.signal("SIGINT");
    for (const kurun of [named, usual]) {
      assert.equal(await kurun.exit, 0, kurun.stderr);
      assert.doesNotMatch(kurun.stderr, /could not|Warning/);
    }
    assert.equal(await configurations(namespace), "[]");
  } finally {
    await Deno.remove(file);
    const roles = [`${name}-named`, `${name}-usual`].flatMap((role) => [`clusterrole/${role}`, `clusterrolebinding/${role}-${user}`]);
    await kubectl(["delete", ...roles, "--ignore-not-found"]);
  }
});
