import assert from "node:assert/strict";
import { parseAllDocuments, stringify } from "yaml";
import { Api } from "../../k8s/api/api.ts";
import { loadClusterAccess } from "../../k8s/kubeconfig/kubeconfig.ts";
import { missingRights, ownRules } from "../../k8s/session/session_rights.ts";
import { SeededRandom } from "../seeded_random.ts";
import { KubeconfigFile } from "./kubeconfig_file.ts";
import { KurunProcess } from "./kurun_process.ts";
import { clusterTest, kubectl, type TestNamespace } from "./kubernetes.ts";
import { serveHttp } from "./upstreams.ts";

interface Rule {
  apiGroups: string[];
  resources: string[];
  verbs: string[];
}

const NEEDLESS = "# The rules below are optional";

/** docs/rbac-port-forward.yaml in a namespace, its rules changed. @returns a kubeconfig of the ServiceAccount that has that Role and nothing else */
async function onlyWith(
  namespace: TestNamespace,
  text: string,
  change: (rules: Rule[]) => Rule[] = (rules) => rules,
): Promise<KubeconfigFile> {
  const [role, binding] = parseAllDocuments(text).map((document) => document.toJS());
  role.rules = change(role.rules);
  await kubectl(["create", "serviceaccount", "kurun", "-n", namespace.name]);
  await kubectl(["create", "-n", namespace.name, "-f", "-"], [role, binding].map((object) => stringify(object)).join("---\n"));
  const token = (await kubectl(["create", "token", "kurun", "-n", namespace.name])).trim();
  return await KubeconfigFile.create((kubeconfig) => {
    kubeconfig.users = [{ name: "least", user: { token } }];
    Object.assign(kubeconfig.contexts[0]!.context, { user: "least" });
  });
}

async function documented(): Promise<string> {
  return await Deno.readTextFile(new URL("../../docs/rbac-port-forward.yaml", import.meta.url));
}

clusterTest("with the Role of docs/rbac-port-forward.yaml alone kurun forwards, and removes everything at Ctrl+C", async (namespace) => {
  await using kubeconfig = await onlyWith(namespace, await documented());
  await using upstream = serveHttp(() => new Response("from here"));
  await using kurun = KurunProcess.start(["port-forward", upstream.url, "-n", namespace.name, "--kubeconfig", kubeconfig.path]);
  let early = "";
  while (early === "") {
    early = await kubectl([
      "get",
      "service",
      "kurun",
      "-n",
      namespace.name,
      "-o",
      "jsonpath={.spec.publishNotReadyAddresses} {.metadata.name}",
    ])
      .catch(() => "");
  }
  assert.equal(early, "true kurun");
  await kurun.ready();
  assert.equal(await (await fetch(`http://${await namespace.address()}/`)).text(), "from here");
  await namespace.onlyReadyPods();
  assert.match(kurun.stderr, /^If kurun loses its connection, .*\n$/);
  kurun.signal("SIGINT");
  assert.equal(await kurun.exit, 0);
  assert.deepEqual(await namespace.left(), []);
});

clusterTest("the Role's rules for diagnosing problems are not needed when nothing goes wrong", async (namespace) => {
  const text = await documented();
  const end = text.indexOf(NEEDLESS);
  assert.ok(end > 0);
  const least = text.slice(0, end) + text.slice(text.indexOf("---\n", end));
  await using kubeconfig = await onlyWith(namespace, least.replace(/ +---/, "---"));
  await using upstream = serveHttp(() => new Response("from here"));
  await using _kurun = await KurunProcess.start(["port-forward", upstream.url, "-n", namespace.name, "--kubeconfig", kubeconfig.path])
    .ready();
  assert.equal(await (await fetch(`http://${await namespace.address()}/`)).text(), "from here");
});

clusterTest("with pods/portforward instead of services/proxy the tunnel goes through the kubelet", async (namespace) => {
  const instead = { apiGroups: [""], resources: ["pods/portforward"], verbs: ["get", "create"] };
  const text = await documented();
  await using kubeconfig = await onlyWith(namespace, text, (rules) => [...without(rules, "services/proxy", "get"), instead]);
  await using upstream = serveHttp(() => new Response("from here"));
  await using kurun = await KurunProcess.start(["port-forward", upstream.url, "-n", namespace.name, "--kubeconfig", kubeconfig.path])
    .ready();
  assert.equal(await (await fetch(`http://${await namespace.address()}/`)).text(), "from here");
  assert.match(kurun.stderr, /^If kurun loses its connection, .*\n$/);
});

clusterTest(
  "the Role without reading Secrets creates a new session instead of adopting a killed kurun's, and kurun says why",
  async (namespace) => {
    await using kubeconfig = await onlyWith(namespace, await documented());
    await using upstream = serveHttp(() => new Response("from here"));
    const args = ["port-forward", upstream.url, "-n", namespace.name, "--kubeconfig", kubeconfig.path];
    const killed = await KurunProcess.start(args).ready();
    killed.signal("SIGKILL");
    await killed.exit;
    await using kurun = await KurunProcess.start(args).ready();
    assert.match(kurun.stderr, /^Replacing your earlier session at Service kurun \(.*\): its key cannot be read$/m);
    assert.equal(await (await fetch(`http://${await namespace.address()}/`)).text(), "from here");
    const { code, stderr } = await KurunProcess.run(args);
    assert.match(stderr, /^error: you are already running this: /);
    assert.equal(code, 3);
  },
);

clusterTest(
  "with the Role --takeover removes another user's session, and that kurun learns who took over at its next renewal",
  async (namespace) => {
    await using kubeconfig = await onlyWith(namespace, await documented());
    await using upstream = serveHttp(() => new Response("from here"));
    const args = ["port-forward", upstream.url, "-n", namespace.name];
    await using other = await KurunProcess.startOn("desk-7", [...args, "--ttl", "45s"]).ready();
    await using kurun = await KurunProcess.startOn("desk-8", [...args, "--kubeconfig", kubeconfig.path, "--ttl", "45s", "--takeover"])
      .ready();
    assert.match(kurun.stderr, /^Replacing the session of \S+ on desk-7 at Service kurun \(.*\): its key cannot be read$/m);
    assert.equal(await (await fetch(`http://${await namespace.address()}/`)).text(), "from here");
    assert.equal(await other.exit, 4);
    assert.match(other.stderr, /^error: this kurun lost session kurun-kurun-\w{5}: replaced by \S+ from desk-8$/m);
  },
);

clusterTest("the Role is enough for kurun ls and kurun stop, and cleanup names what it may not read", async (namespace) => {
  await using kubeconfig = await onlyWith(namespace, await documented());
  await using upstream = serveHttp(() => new Response("from here"));
  const there = ["-n", namespace.name, "--kubeconfig", kubeconfig.path];
  await using kurun = await KurunProcess.start(["port-forward", upstream.url, "--ttl", "9s", ...there]).ready();
  const ls = await KurunProcess.run(["ls", ...there]);
  assert.deepEqual([ls.code, ls.stderr], [0, ""]);
  assert.match(ls.stdout, /^NAME .*\nkurun +Connected +\d+s /);
  const cleanup = await KurunProcess.run(["cleanup", ...there]);
  assert.equal(cleanup.code, 0);
  for (const resource of ["secrets", "configmaps", "deployments", "pods"]) {
    assert.match(
      cleanup.stderr,
      new RegExp(`^Warning: ${resource} could not be checked: this needs the right to list ${resource}$`, "m"),
    );
  }
  assert.deepEqual(await KurunProcess.run(["stop", "kurun", ...there]), { code: 0, stdout: "session/kurun stopped\n", stderr: "" });
  assert.equal(await kurun.exit, 4);
  assert.deepEqual(await namespace.left(), []);
});

clusterTest(
  "the Role joins an existing Service by an EndpointSlice; without that right kurun joins by labels, but only those that no other Service selects",
  async (namespace) => {
    await using kubeconfig = await onlyWith(namespace, await documented());
    const rules: Rule[] = JSON.parse(await kubectl(["get", "role", "kurun", "-n", namespace.name, "-o", "json"])).rules;
    await kubectl(["create", "service", "clusterip", "kurun", "--tcp=80:80", "-n", namespace.name]);
    await using upstream = serveHttp(() => new Response("from here"));
    const args = ["port-forward", upstream.url, "-n", namespace.name, "--kubeconfig", kubeconfig.path];
    const joins = async (way: string) => {
      await using kurun = await KurunProcess.start(args).ready();
      assert.ok(kurun.stderr.startsWith(`Joining Service kurun by ${way}\n`), kurun.stderr);
      assert.equal(await (await fetch(`http://${await namespace.address()}/`)).text(), "from here");
      kurun.signal("SIGINT");
      assert.equal(await kurun.exit, 0);
    };
    await joins("an EndpointSlice");
    await setRules(namespace, without(rules, "endpointslices", "create"));
    await joins("the labels that it selects, because you may not create and patch EndpointSlices");
    await kubectl(
      ["create", "-n", namespace.name, "-f", "-"],
      stringify({
        apiVersion: "v1",
        kind: "Service",
        metadata: { name: "other" },
        spec: { selector: { app: "kurun" }, ports: [{ port: 80 }] },
      }),
    );
    const { code, stderr } = await KurunProcess.run(args);
    assert.equal(
      stderr,
      `error: Service other in namespace ${namespace.name} selects Pods with the labels app=kurun: with them, kurun's Pod would get their callers too.\n` +
        `Ask for the right to create and patch endpointslices.discovery.k8s.io in namespace ${namespace.name} (kurun doctor --rbac), so that kurun joins Service kurun alone, ` +
        "or choose another name with --servicename\n",
    );
    assert.equal(code, 3);
  },
);

/** Each right that a session needs, as the error about its absence names it. */
const NEEDED = [
  ["jobs", "create", "create jobs.batch"],
  ["jobs", "patch", "patch jobs.batch"],
  ["jobs", "delete", "delete jobs.batch"],
  ["deployments", "create", "create deployments.apps"],
  ["services", "create", "create services"],
  ["secrets", "create", "create secrets"],
  ["configmaps", "create", "create configmaps"],
  ["services/proxy", "get", "get services/proxy named https:kurun-kurun:8333"],
  ["pods", "watch", "watch pods"],
] as const;

clusterTest("a missing verb is named, with exit code 3, before anything is created", async (namespace) => {
  await using kubeconfig = await onlyWith(namespace, await documented());
  const rules: Rule[] = JSON.parse(await kubectl(["get", "role", "kurun", "-n", namespace.name, "-o", "json"])).rules;
  for (const [resource, verb, named] of NEEDED) {
    await setRules(namespace, without(rules, resource, verb));
    const { code, stdout, stderr } = await KurunProcess.run([
      "port-forward",
      "8080",
      "-n",
      namespace.name,
      "--kubeconfig",
      kubeconfig.path,
    ]);
    assert.equal(
      stderr,
      `error: user least lacks rights that this command needs; nothing was created:\n` +
        `  cannot ${named} in namespace ${namespace.name}\n` +
        `Ask the cluster's administrator to apply the Role that this prints: kurun doctor --rbac --for port-forward -n ${namespace.name}\n`,
    );
    assert.equal(code, 3);
    assert.equal(stdout, "");
    assert.deepEqual(await namespace.left(), []);
  }
});

clusterTest("the user's rules give what the API server allows by them, whatever a Role says", async (namespace) => {
  const random = new SeededRandom(13);
  const some = (...list: string[]) => list.filter(() => random.chance(0.4)).concat(random.pick(list));
  const groups = ["", "apps"];
  const verbs = ["get", "create"];
  const names = ["a", "b"];
  const roles = Array.from({ length: 12 }, (_, at) => [
    {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "Role",
      metadata: { name: `r${at}` },
      rules: Array.from({ length: 2 }, () => ({
        apiGroups: some(...groups, "*"),
        resources: some("pods", "services", "services/proxy", "*/proxy", "services/*", "*/*", random.chance(0.2) ? "*" : "pods/proxy"),
        verbs: some(...verbs, "*"),
        ...(random.chance(0.5) ? { resourceNames: some(...names, "*") } : {}),
      })),
    },
    {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "RoleBinding",
      metadata: { name: `r${at}` },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: `r${at}` },
      subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: `${namespace.name}-${at}` }],
    },
  ]);
  await kubectl(["create", "-n", namespace.name, "-f", "-"], roles.flat().map((object) => stringify(object)).join("---\n"));
  const { signal } = new AbortController();
  const seen = { given: 0, lacked: 0 };
  for (const at of roles.keys()) {
    const access = await loadClusterAccess({ as: `${namespace.name}-${at}` }, { get: (name) => Deno.env.get(name), interactive: false });
    using api = new Api(access, { userAgent: "test" });
    const rights = Array.from({ length: 16 }, () => ({
      verb: random.pick(verbs),
      group: random.pick(groups),
      resource: random.pick(["pods", "services"]),
      ...(random.chance(0.5) ? { subresource: "proxy" } : {}),
      ...(random.chance(0.5) ? { name: random.pick(names) } : {}),
      namespace: namespace.name,
    }));
    const given = await ownRules(api, namespace.name, signal);
    const lacked = rights.filter((right) => !given(right));
    assert.deepEqual(lacked, await missingRights(api, rights, signal), JSON.stringify(roles[at]![0]));
    seen.lacked += lacked.length;
    seen.given += rights.length - lacked.length;
  }
  assert.ok(seen.given > 20 && seen.lacked > 20, JSON.stringify(seen));
});

function without(rules: Rule[], resource: string, verb: string): Rule[] {
  return rules.flatMap((rule) => {
    if (!rule.resources.includes(resource) || !rule.verbs.includes(verb)) return [rule];
    const others = rule.resources.filter((name) => name !== resource);
    return [
      ...(others.length > 0 ? [{ ...rule, resources: others }] : []),
      ...(rule.verbs.length > 1 ? [{ ...rule, resources: [resource], verbs: rule.verbs.filter((name) => name !== verb) }] : []),
    ];
  });
}

async function setRules(namespace: TestNamespace, rules: Rule[]): Promise<void> {
  await kubectl(["patch", "role", "kurun", "-n", namespace.name, "--type", "merge", "-p", JSON.stringify({ rules })]);
}
