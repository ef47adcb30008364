import assert from "node:assert/strict";
import { parseAllDocuments } from "yaml";
import { applySetParent, parentBody } from "../k8s/manifests/applyset.ts";
import { type Purpose, PURPOSES } from "../k8s/session/role_rules.ts";
import { gives, type Right } from "../k8s/session/session_rights.ts";
import { objectServer } from "../tests/object_server.ts";
import type { ScriptedServer } from "../tests/scripted_server.ts";
import type { Context } from "./command/context.ts";
import { describeError } from "./describe_error.ts";
import { program, runProgram } from "./program.ts";

const HOOKS = `apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: hooks}
webhooks:
- name: a.example.com
  clientConfig: {service: {name: web, namespace: shop}}
  rules: [{operations: [CREATE], apiGroups: [""], apiVersions: [v1], resources: [configmaps]}]
  sideEffects: None
  admissionReviewVersions: [v1]
`;

/** Runs kurun as Jane.Doe, in namespace shop of a server. @returns what it prints, without its exit code if that is 0 */
async function kurun(server: ScriptedServer, ...args: string[]): Promise<{ stdout: string; stderr: string }> {
  const said = { stdout: "", stderr: "" };
  const context = {
    args: [...args, "-n", "shop", "-s", `http://127.0.0.1:${server.port}`],
    program: "kurun",
    env: (name: string) => name === "KUBECONFIG" ? "/dev/null" : undefined,
    who: "Jane.Doe",
    from: "desk-7",
    data: (text: string) => void (said.stdout += text),
    stdout: (text: string) => void (said.stdout += text),
    stderr: (text: string) => void (said.stderr += text),
    describe: describeError,
    stdio: { stdinIsTerminal: false, readable: false },
    interrupted: new AbortController().signal,
    now: () => performance.now(),
    date: () => new Date(),
    random: (bytes: number) => new Uint8Array(bytes),
  } as unknown as Context;
  const code = await runProgram(context);
  if (code !== 0) said.stderr += `exit code ${code}\n`;
  return said;
}

interface Rule {
  apiGroups: string[];
  resources: string[];
  resourceNames?: string[];
  verbs: string[];
}

/** The rules of what `kurun doctor --rbac` prints for a purpose. @param all whether with those that are comments */
async function printedRules(purpose: Purpose, all = false): Promise<Rule[]> {
  using server = objectServer(new Map());
  const { stdout } = await kurun(server, "doctor", "--rbac", "--for", purpose);
  const whole = stdout.replace(/^# ---[^]*/m, (clusterRole) => clusterRole.replaceAll(/^# /gm, ""));
  const text = all ? whole.replaceAll(/^ {2}# (- apiGroups| {2}(resource|verbs))/gm, "  $1") : stdout;
  const documents = parseAllDocuments(text);
  for (const { errors } of documents) assert.deepEqual(errors, []);
  return documents.flatMap((document) => document.toJS()?.rules ?? []);
}

/** Each command as it is run by default. The sessions and manifests of the others have names that a Role cannot know. */
const BY_DEFAULT: Readonly<Partial<Record<Purpose, (file: string) => string[]>>> = {
  "port-forward": () => ["port-forward", "8080"],
  webhook: (file) => ["webhook", "-f", file],
};

for (const purpose of PURPOSES) {
  Deno.test(`the Role of ${purpose} names the Services that the command uses by default, and no others`, async () => {
    const file = await Deno.makeTempFile({ suffix: ".yaml" });
    await Deno.writeTextFile(file, HOOKS);
    const args = BY_DEFAULT[purpose]?.(file);
    using server = objectServer(new Map());
    const { stdout, stderr } = args ? await kurun(server, ...args, "--dry-run=client") : { stdout: "", stderr: "" };
    await Deno.remove(file);
    assert.doesNotMatch(stderr, /exit code/);
    const services: string[] = parseAllDocuments(stdout).map((document) => document.toJS()).filter((object) => object?.kind === "Service")
      .map(({ metadata }) => metadata.name).sort();
    assert.equal(services.length, args ? 2 : 0);
    const rules = (await printedRules(purpose)).filter(({ resourceNames }) => resourceNames !== undefined);
    const named = (resource: string, verb: string) =>
      rules.filter(({ resources, verbs }) => resources.includes(resource) && verbs.includes(verb)).map(({ resourceNames }) =>
        resourceNames
      );
    assert.deepEqual(named("services", "get").map((names) => names?.sort()), args ? [services] : []);
    assert.deepEqual(named("services/proxy", "get"), args ? [[`https:${services[1]}:8333`]] : []);
    assert.deepEqual(named("services", "patch"), args ? [[services[0]]] : []);
    assert.equal(rules.length, args ? 3 : 0);
  });
}

Deno.test("a Role for several commands, or for a Service that is named, has the Services of each", async () => {
  using server = objectServer(new Map());
  const names = async (...flags: string[]) =>
    /resourceNames: (.*)\n {4}verbs: \[get\]/.exec((await kurun(server, "doctor", "--rbac", "--for", ...flags)).stdout)?.[1];
  assert.equal(
    await names("port-forward,webhook"),
    "[kurun, kurun-kurun, kurun-webhook-jane-doe, kurun-webhook-jane-doe-kurun]",
  );
  assert.equal(await names("port-forward,webhook", "--servicename", "hooks"), "[hooks, hooks-kurun]");
});

/** The right that a request takes. */
function rightOf(method: string, target: string): Right {
  const [path = ""] = target.split("?");
  const [, group = "", namespace, resource = "", name, subresource] =
    /^\/(?:api|apis\/([^/]+))\/v1(?:\/namespaces\/([^/]+))?\/([^/]+)(?:\/([^/]+))?(?:\/([^/]+))?/.exec(path) ?? [];
  const verb = { POST: "create", PATCH: "patch", DELETE: "delete" }[method] ?? (name === undefined ? "list" : "get");
  return Object.fromEntries(
    Object.entries({ verb, group, resource, subresource, name, namespace }).filter(([, value]) => value !== undefined),
  ) as unknown as Right;
}

/** A server that allows what rules allow. */
function guarded(objects: [string, unknown][], rules: readonly Rule[]): ScriptedServer {
  return objectServer(new Map(objects), ({ method, target }) => {
    const isDiscovery = /^\/apis?$/.test(target);
    return isDiscovery || rules.some((rule) => gives(rule, rightOf(method, target))) ? undefined : 403;
  });
}

const LABELS = { "app.kubernetes.io/managed-by": "kurun", "kurun.dev/session": "web-kurun-bcdfg" };
const METADATA = { namespace: "shop", uid: "1", labels: LABELS, creationTimestamp: "2026-01-01T00:00:00Z" };
const SESSION: [string, unknown][] = [
  ["/apis/batch/v1/namespaces/shop/jobs/web-kurun-bcdfg", {
    metadata: { ...METADATA, name: "web-kurun-bcdfg", annotations: { "kurun.dev/service": "web", "kurun.dev/serves": "" } },
  }],
  ["/api/v1/namespaces/shop/services/web-kurun", { metadata: { ...METADATA, name: "web-kurun" } }],
];

Deno.test("the Role of sessions is enough for ls, stop and cleanup (that of run for the first two), and with its comments for all they remove", async () => {
  for (const purpose of ["run", "sessions"] as const) {
    using server = guarded(SESSION, await printedRules(purpose));
    const { stdout, stderr } = await kurun(server, "ls");
    assert.match(stdout, /^web +Away/m);
    assert.equal(stderr, "");
    assert.match((await kurun(server, "stop", "web")).stdout, /^session\/web stopped$/m);
  }
  using other = guarded(SESSION, await printedRules("sessions"));
  const cleaned = await kurun(other, "cleanup");
  assert.match(cleaned.stdout, /^session\/web removed from namespace shop/m);
  assert.match(cleaned.stderr, /^(Warning: \w+ could not be checked: this needs the right to list \w+\n)+$/);
  const withComments = await printedRules("sessions", true);
  using whole = guarded(SESSION, withComments);
  assert.deepEqual(await kurun(whole, "stop", "web"), { stdout: "session/web stopped\n", stderr: "" });
  using all = guarded(SESSION.slice(1), withComments);
  assert.deepEqual(await kurun(all, "cleanup"), {
    stdout: "service/web-kurun removed from namespace shop: its session is gone\n",
    stderr: "",
  });
});

Deno.test("the Role of delete is enough for manifests, and with its comments for a set", async () => {
  const resources = [{ resource: "configmaps", scope: "Namespaced", responseKind: { kind: "ConfigMap" } }];
  const discovery = (items: unknown[]) => ({ kind: "APIGroupDiscoveryList", items });
  const scope = { kinds: new Set(["ConfigMap"]), namespaces: new Set(["shop"]) };
  const objects = (): [string, unknown][] => [
    ["/api", discovery([{ versions: [{ version: "v1", resources }] }])],
    ["/apis", discovery([])],
    ["/api/v1/namespaces/shop/configmaps/a", { metadata: { name: "a", namespace: "shop", uid: "a" } }],
    ["/api/v1/namespaces/shop/secrets/shop", parentBody(applySetParent("shop", "shop"), scope)],
  ];
  const file = await Deno.makeTempFile({ suffix: ".yaml" });
  await Deno.writeTextFile(file, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n");
  using server = guarded(objects(), await printedRules("delete"));
  assert.deepEqual(await kurun(server, "delete", "-f", file), { stdout: 'configmap "a" deleted from shop namespace\n', stderr: "" });
  using all = guarded(objects(), await printedRules("delete", true));
  assert.deepEqual(await kurun(all, "delete", "--applyset", "shop"), {
    stdout: 'configmap "a" deleted from shop namespace\nsecret "shop" deleted from shop namespace\n',
    stderr: "",
  });
  await Deno.remove(file);
});

Deno.test("docs/troubleshooting.md says which Role each command needs", async () => {
  const text = await Deno.readTextFile(new URL("../docs/troubleshooting.md", import.meta.url));
  const { commands } = await program({ program: "kurun", env: () => undefined, args: [] } as unknown as Context);
  for (const name of commands.map((command) => command.name()).filter((name) => !name.startsWith("__"))) {
    assert.match(text, new RegExp(`^\\|[^|]*\`${name}\`[^|]*\\| (none|\\[rbac-[\\w-]+\\.yaml\\])`, "m"), name);
  }
  for (const purpose of PURPOSES) assert.ok(text.includes(`[rbac-${purpose}.yaml](rbac-${purpose}.yaml)`), purpose);
});
