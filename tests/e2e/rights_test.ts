import assert from "node:assert/strict";
import { parseAllDocuments, stringify } from "yaml";
import { KubeconfigFile } from "./kubeconfig_file.ts";
import { KurunProcess } from "./kurun_process.ts";
import { clusterTest, kubectl, type TestNamespace } from "./kubernetes.ts";
import { serveHttp } from "./upstreams.ts";

interface Rule {
  apiGroups: string[];
  resources: string[];
  verbs: string[];
}

const NEEDLESS = "# Below this line nothing is needed";

/** docs/rbac.yaml in a namespace, its rules changed. @returns a kubeconfig of the ServiceAccount that has that Role and nothing else */
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
  return await Deno.readTextFile(new URL("../../docs/rbac.yaml", import.meta.url));
}

clusterTest("with the Role of docs/rbac.yaml alone kurun forwards, and removes everything at Ctrl+C", async (namespace) => {
  await using kubeconfig = await onlyWith(namespace, await documented());
  await using upstream = serveHttp(() => new Response("from here"));
  await using kurun = await KurunProcess.start(["port-forward", upstream.url, "-n", namespace.name, "--kubeconfig", kubeconfig.path])
    .ready();
  assert.equal(await (await fetch(`http://${await namespace.address()}/`)).text(), "from here");
  assert.equal(kurun.stderr, "");
  kurun.signal("SIGINT");
  assert.equal(await kurun.exit, 0);
  assert.deepEqual(await namespace.left(), []);
});

clusterTest("that Role's rules that are for trouble alone are not needed without", async (namespace) => {
  const text = await documented();
  const end = text.indexOf(NEEDLESS);
  const least = text.slice(0, end) + text.slice(text.indexOf("---\n", end));
  await using kubeconfig = await onlyWith(namespace, least.replace(/ +---/, "---"));
  await using upstream = serveHttp(() => new Response("from here"));
  await using _kurun = await KurunProcess.start(["port-forward", upstream.url, "-n", namespace.name, "--kubeconfig", kubeconfig.path])
    .ready();
  assert.equal(await (await fetch(`http://${await namespace.address()}/`)).text(), "from here");
});

/** Each right that the session needs, as it is named where it is missing. */
const NEEDED = [
  ["jobs", "create", "create jobs.batch"],
  ["jobs", "patch", "patch jobs.batch"],
  ["jobs", "delete", "delete jobs.batch"],
  ["deployments", "create", "create deployments.apps"],
  ["services", "create", "create services"],
  ["secrets", "create", "create secrets"],
  ["services/proxy", "get", "get services/proxy named https:kurun-kurun:8333"],
  ["pods", "watch", "watch pods"],
] as const;

clusterTest("without any one verb kurun refuses before anything is created, naming it, with exit code 3", async (namespace) => {
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
      `error: user least lacks rights that this takes; nothing was created:\n` +
        `  cannot ${named} in namespace ${namespace.name}\n` +
        `docs/rbac.yaml has the least Role: ask the cluster's administrator for it\n`,
    );
    assert.equal(code, 3);
    assert.equal(stdout, "");
    assert.deepEqual(await namespace.left(), []);
  }
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
