/**
 * The whole life of the example of `kurun apply`, examples/apply: from a folder, standard input and a URL, through containerd and a
 * registry.
 *
 * @module
 */
import assert from "node:assert/strict";
import { type Ended, Files, kurun, kurunReading } from "./apply_runs.ts";
import { clusterTest, kubectl, type ListedObject, logOf, TestNamespace } from "./kubernetes.ts";
import { KurunProcess } from "./kurun_process.ts";
import { REGISTRY_PATH, REGISTRY_USER, TestRegistry } from "./registry.ts";

const EXAMPLE = new URL("../../examples/apply", import.meta.url).pathname;
const SET = ["--prune", "--applyset", "shop"];
/** How long an apply that changes nothing may take on a busy machine. */
const QUICK_MS = 5_000;

/** A test's copy of the example. */
interface Shop extends AsyncDisposable {
  readonly files: Files;
  /** The group of the example's own kind, unique to this test because definitions belong to the whole cluster. */
  readonly group: string;
  /** What an apply of all of it prints, sorted. */
  readonly applied: readonly string[];
}

/** A copy of the example that differs from all others, so that none of its images can be in the cluster yet. */
async function copyOfExample(): Promise<Shop> {
  const files = await Files.of({});
  const { success } = await new Deno.Command("cp", { args: ["-r", `${EXAMPLE}/.`, files.folder] }).output();
  assert.ok(success);
  const mark = crypto.randomUUID().slice(0, 8);
  await files.write("orders/mark.go", `package orders\n\nvar Mark = "${mark}"\n\nfunc init() { println(Mark) }\n`);
  await Deno.writeTextFile(files.path("worker/main.ts"), `\nconsole.log("${mark}");\n`, { append: true });
  const group = `shop-${mark}.kurun.example`;
  for (const name of ["nightly.yaml", "nightly_crd.yaml"]) await edit(files, `k8s/${name}`, "shop.kurun.example", group);
  return {
    files,
    group,
    applied: [
      "cronjob.batch/report",
      `customresourcedefinition.apiextensions.k8s.io/nightlies.${group}`,
      "deployment.apps/api",
      "deployment.apps/worker",
      `nightly.${group}/report`,
      "service/api",
    ].map((name) => `${name} serverside-applied`),
    async [Symbol.asyncDispose]() {
      await kubectl(["delete", "crd", `nightlies.${group}`, "--ignore-not-found"]);
      await files[Symbol.asyncDispose]();
    },
  };
}

async function edit(files: Files, name: string, from: string, to: string): Promise<void> {
  const text = await Deno.readTextFile(files.path(name));
  assert.ok(text.includes(from), name);
  await files.write(name, text.replaceAll(from, to));
}

/** All manifests except these files, in one text. */
async function manifests({ files }: Shop, ...without: string[]): Promise<string> {
  const texts: string[] = [];
  for (const name of ["api.yaml", "nightly.yaml", "nightly_crd.yaml", "report.yaml", "worker.yaml"]) {
    if (!without.includes(name)) texts.push(await Deno.readTextFile(files.path(`k8s/${name}`)));
  }
  return texts.join("---\n");
}

/** The lines about objects that were applied or deleted, sorted. */
function lines({ code, stdout, stderr }: Ended): string[] {
  assert.equal(code, 0, `${stdout}${stderr}`);
  return stdout.trim().split("\n").filter((line) => / (serverside-applied|pruned|deleted from .*|deleted)$/.test(line)).sort();
}

/** The names of the programs that were built. */
function built({ stderr }: Ended): string[] {
  return [...stderr.matchAll(/^Built \S*?(\w+) \(/gm)].map(([, name = ""]) => name).sort();
}

/** The names of the images that were sent. */
function sent({ stderr }: Ended): string[] {
  return [...stderr.matchAll(/^(?:Loading (.*) into|Pushed (.*) to) /gm)].flatMap(([, loaded, pushed]) =>
    (loaded ?? pushed ?? "").split(", ").map((name) => name.slice(name.lastIndexOf("/") + 1))
  ).sort();
}

/** The objects without what the cluster reports about them. A change of an object's spec shows in its generation. */
async function wanted({ name }: TestNamespace, { group }: Shop): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const kinds of [`deployments,services,cronjobs,secrets,nightlies.${group}`, `crd/nightlies.${group}`]) {
    const got = JSON.parse(await kubectl(["get", ...kinds.split(" "), "-n", name, "-o", "json"]));
    for (const { status: _, ...object } of (got.items ?? [got]) as ListedObject[]) {
      const { resourceVersion: _, ...metadata } = object.metadata as ListedObject["metadata"] & { resourceVersion: string };
      found.set(`${object.kind}/${metadata.name}`, JSON.stringify({ ...object, metadata }));
    }
  }
  return found;
}

/** What changed. */
function differing(before: Map<string, string>, after: Map<string, string>): string[] {
  return [...new Set([...before.keys(), ...after.keys()])].filter((name) => before.get(name) !== after.get(name)).sort();
}

/** A Deployment's Pods that are not being deleted. */
async function pods({ name }: TestNamespace, app: string): Promise<string[]> {
  const { items } = JSON.parse(await kubectl(["get", "pods", "-n", name, "-l", `app.kubernetes.io/name=${app}`, "-o", "json"]));
  return (items as ListedObject[]).filter(({ metadata }) => !metadata.deletionTimestamp).map(({ metadata }) => metadata.name).sort();
}

/** All objects in a namespace, of every kind in the cluster except events, and the definitions of the example's kind. */
async function everything({ name }: TestNamespace, { group }: Shop): Promise<string[]> {
  const kinds = (await kubectl(["api-resources", "--verbs=list", "--namespaced", "-o", "name"])).trim().split("\n");
  const listed = kinds.filter((kind) => !/^(events|pods\.metrics)\b/.test(kind)).join(",");
  const definition = await kubectl(["get", "crd", `nightlies.${group}`, "--ignore-not-found", "-o", "name"]);
  return `${await kubectl(["get", listed, "-n", name, "-o", "name"])}${definition}`.trim().split("\n").sort();
}

/** Waits until only the objects from before are left: Pods take a while to stop. */
async function nothingLeft(namespace: TestNamespace, shop: Shop, before: string[]): Promise<void> {
  let left: unknown;
  for (let tries = 60; tries > 0; tries--) {
    // A deleted kind stays in discovery for a moment.
    left = await everything(namespace, shop).catch(String);
    if (String(left) === String(before)) return;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  assert.deepEqual(left, before);
}

/** All objects in a namespace once the cluster has created those that each namespace gets. */
async function everythingBefore(namespace: TestNamespace, shop: Shop): Promise<string[]> {
  await kubectl(["wait", "--for=create", "serviceaccount/default", "configmap/kube-root-ca.crt", "-n", namespace.name, "--timeout=20s"]);
  const all = await everything(namespace, shop);
  assert.equal(
    all.filter((name) => !/^(secret\/pull|serviceaccount\/default|configmap\/kube-root-ca\.crt)$/.test(name)).length,
    0,
    `${all}`,
  );
  return all;
}

/** Places an order through the API, and waits until the worker has processed it. */
async function orderIsDone(namespace: TestNamespace, item: string): Promise<void> {
  const orders = `http://${await namespace.address("api")}/orders`;
  const order = await fetch(orders, { method: "POST", body: JSON.stringify({ item }) });
  assert.equal(order.status, 201);
  assert.deepEqual(await order.json(), { id: 1, item, done: false });
  let seen: unknown;
  for (let tries = 100; tries > 0; tries--) {
    seen = await (await fetch(orders)).json();
    if ((seen as { done: boolean }[])[0]?.done) break;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  assert.deepEqual(seen, [{ id: 1, item, done: true }]);
}

/** Runs the CronJob now. @returns the last line that it printed */
async function reportNow({ name }: TestNamespace): Promise<string> {
  await kubectl(["create", "job", "now", "--from=cronjob/report", "-n", name]);
  await kubectl(["wait", "job/now", "--for=condition=complete", "--timeout=30s", "-n", name]);
  return (await kubectl(["logs", "job/now", "-n", name])).trim().split("\n").at(-1) ?? "";
}

/** The images of the objects, including those of the example's own kind. */
async function images({ name }: TestNamespace, { group }: Shop): Promise<Record<"api" | "worker" | "report" | "nightly", string>> {
  const get = (what: string, path: string) => kubectl(["get", what, "-n", name, "-o", `jsonpath={${path}}`]);
  const container = "spec.template.spec.containers[0].image";
  return {
    api: await get("deploy/api", `.${container}`),
    worker: await get("deploy/worker", `.${container}`),
    report: await get("cronjob/report", `.spec.jobTemplate.${container}`),
    nightly: await get(`nightlies.${group}/report`, ".spec.job"),
  };
}

function areImagesOf(found: Awaited<ReturnType<typeof images>>, repository: string): void {
  for (const name of ["api", "worker", "report"] as const) {
    const [before, digest] = found[name].split("@");
    assert.equal(before, `${repository}/${name}`);
    assert.match(digest ?? "", /^sha256:[0-9a-f]{64}$/);
  }
  assert.equal(found.nightly, found.report);
}

clusterTest("the whole life of the example, from a folder, through containerd, as a set", async (namespace) => {
  await using shop = await copyOfExample();
  const { files, group, applied } = shop;
  const before = await everythingBefore(namespace, shop);
  const apply = () => kurun(namespace, "apply", "-f", files.path("k8s"), ...SET, "--wait");

  const first = await apply();
  assert.deepEqual(lines(first), applied);
  assert.deepEqual([built(first), sent(first)], [["api", "report", "worker"], ["api", "report", "worker"]]);
  for (const name of ["api", "worker"]) assert.match(first.stderr, new RegExp(`^deployment\\.apps/${name} is ready$`, "m"));
  const firstImages = await images(namespace, shop);
  areImagesOf(firstImages, "kurun.local");
  await orderIsDone(namespace, "tea");
  assert.match(await reportNow(namespace), /^\d{4}-\d\d-\d\d \d\d:\d\d CES?T: 1 orders, 1 done$/);

  const asApplied = await wanted(namespace, shop);
  const firstPods = { api: await pods(namespace, "api"), worker: await pods(namespace, "worker") };
  const began = performance.now();
  const again = await apply();
  assert.ok(performance.now() - began < QUICK_MS, `${performance.now() - began} ms`);
  assert.deepEqual(lines(again), applied);
  assert.deepEqual([built(again), sent(again)], [[], []], again.stderr);
  assert.deepEqual(differing(asApplied, await wanted(namespace, shop)), []);
  assert.deepEqual({ api: await pods(namespace, "api"), worker: await pods(namespace, "worker") }, firstPods);

  await edit(files, "api/main.go", "listening on", "changed, listening on");
  const changed = await apply();
  assert.deepEqual(lines(changed), applied);
  assert.deepEqual([built(changed), sent(changed)], [["api"], ["api"]], changed.stderr);
  const asChanged = await wanted(namespace, shop);
  assert.deepEqual(differing(asApplied, asChanged), ["Deployment/api"]);
  assert.notEqual((await images(namespace, shop)).api, firstImages.api);
  const [pod = "", ...others] = await pods(namespace, "api");
  assert.deepEqual([others, firstPods.api.includes(pod)], [[], false]);
  await logOf(namespace, pod, /changed, listening on :8080/);
  assert.deepEqual(await pods(namespace, "worker"), firstPods.worker);

  await Deno.remove(files.path("k8s/report.yaml"));
  const pruned = await apply();
  assert.deepEqual(lines(pruned), ["cronjob.batch/report pruned", ...applied.filter((line) => !line.startsWith("cronjob"))]);
  assert.deepEqual([built(pruned), sent(pruned)], [[], []], pruned.stderr);
  // The set's Secret records the kinds of its members.
  assert.deepEqual(differing(asChanged, await wanted(namespace, shop)), ["CronJob/report", "Secret/shop"]);

  const deleted = await kurun(namespace, "delete", "-f", files.path("k8s"), "--applyset", "shop");
  const inNamespace = ['deployment.apps "api"', 'deployment.apps "worker"', `nightly.${group} "report"`, 'secret "shop"', 'service "api"'];
  assert.deepEqual(
    lines(deleted),
    [
      `customresourcedefinition.apiextensions.k8s.io "nightlies.${group}" deleted`,
      ...inNamespace.map((what) => `${what} deleted from ${namespace.name} namespace`),
    ].sort(),
  );
  await nothingLeft(namespace, shop, before);
});

/** Lets the namespace's Pods pull from the registry, as a user would. The manifests do not mention it. */
async function mayPull({ name }: TestNamespace, registry: string): Promise<void> {
  const { username, password } = REGISTRY_USER;
  const as = [`--docker-server=${registry}`, `--docker-username=${username}`, `--docker-password=${password}`];
  await kubectl(["create", "secret", "docker-registry", "pull", "-n", name, ...as]);
  await kubectl(["wait", "--for=create", "serviceaccount/default", "-n", name, "--timeout=20s"]);
  await kubectl(["patch", "serviceaccount", "default", "-n", name, "-p", '{"imagePullSecrets":[{"name":"pull"}]}']);
}

/** How many images were pulled for the Pods of a namespace, by image name. */
async function pulled({ name }: TestNamespace): Promise<string[]> {
  const { items } = JSON.parse(await kubectl(["get", "events", "-n", name, "--field-selector=reason=Pulled", "-o", "json"]));
  return (items as { message: string }[]).flatMap(({ message }) => /^Successfully pulled image "([^"]*)"/.exec(message)?.[1] ?? []).sort();
}

clusterTest(
  "the whole life of the example, from standard input and a URL, through a registry with tokens",
  async (namespace) => {
    await using registry = await TestRegistry.start("token");
    await using shop = await copyOfExample();
    const { files, applied } = shop;
    const repo = `${registry.registry}/${REGISTRY_PATH}`;
    const auth = btoa(`${REGISTRY_USER.username}:${REGISTRY_USER.password}`);
    await files.write("docker/config.json", JSON.stringify({ auths: { [registry.registry]: { auth } } }));
    const env = { DOCKER_CONFIG: files.path("docker") };
    await mayPull(namespace, registry.registry);
    const before = await everythingBefore(namespace, shop);
    // In the folder of the manifests, since their references are relative to it.
    const reading = (text: string, command: string, ...words: string[]) =>
      kurunReading(text, [command, "-f", "-", "-n", namespace.name, ...words], files.path("k8s"), env);
    const all = await manifests(shop);

    const first = await reading(all, "apply", "--repo", repo, "--wait");
    assert.deepEqual(lines(first), applied);
    assert.deepEqual([built(first), sent(first)], [["api", "report", "worker"], ["api", "report", "worker"]]);
    const firstImages = await images(namespace, shop);
    areImagesOf(firstImages, repo);
    await orderIsDone(namespace, "tea");
    assert.match(await reportNow(namespace), /: 1 orders, 1 done$/);
    assert.deepEqual(await pulled(namespace), [firstImages.api, firstImages.report, firstImages.worker].sort());

    const asApplied = await wanted(namespace, shop);
    const again = await reading(all, "apply", "--repo", repo, "--wait");
    assert.deepEqual([lines(again), built(again), sent(again)], [applied, [], []], again.stderr);
    assert.deepEqual(differing(asApplied, await wanted(namespace, shop)), []);

    await edit(files, "api/main.go", "listening on", "changed, listening on");
    const changed = await reading(all, "apply", "--repo", repo, "--wait");
    assert.deepEqual([lines(changed), built(changed), sent(changed)], [applied, ["api"], ["api"]], changed.stderr);
    assert.deepEqual(differing(asApplied, await wanted(namespace, shop)), ["Deployment/api"]);

    const resolved = await reading(all, "resolve", "--repo", repo);
    assert.deepEqual([resolved.code, resolved.stderr], [0, ""]);
    assert.equal(lines(await reading(all, "delete")).length, applied.length);
    await nothingLeft(namespace, shop, before);

    await using other = await TestNamespace.create();
    await mayPull(other, registry.registry);
    const otherBefore = await everythingBefore(other, shop);
    let served = all;
    await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, () => new Response(served));
    const url = `http://127.0.0.1:${server.addr.port}/shop.yaml`;
    const fromUrl = (command: string, ...words: string[]) => KurunProcess.run([command, "-f", url, "-n", other.name, ...words], env);
    const refused = await fromUrl("apply", "--repo", repo, ...SET);
    assert.deepEqual([refused.code === 0, refused.stdout, built(refused)], [false, "", []]);
    // Each with its place.
    const places = [
      ...refused.stderr.matchAll(/^(?:error: )?\s*(\S+):(\d+):\d+: .*kurun:\/\/(\S+) refers to source on this machine, which /gm),
    ];
    const references = all.split("\n").flatMap((line, at) =>
      /: kurun:\/\/(\S+)$/.exec(line)?.slice(1).map((path) => [url, `${at + 1}`, path]) ?? []
    );
    assert.equal(references.length, 4);
    assert.deepEqual(places.map(([, ...place]) => place), references, refused.stderr);
    assert.deepEqual(await everything(other, shop), otherBefore);

    served = resolved.stdout;
    const applying = await fromUrl("apply", ...SET, "--wait");
    assert.deepEqual([lines(applying), built(applying), sent(applying)], [applied, [], []], applying.stderr);
    areImagesOf(await images(other, shop), repo);
    await orderIsDone(other, "coffee");
    // The URL serves the remaining manifests as kurun resolve printed them.
    const fewer = await reading(await manifests(shop, "report.yaml"), "resolve", "--repo", repo);
    served = fewer.stdout;
    assert.deepEqual(
      lines(await fromUrl("apply", ...SET)),
      ["cronjob.batch/report pruned", ...applied.filter((line) => !line.startsWith("cronjob"))],
    );
    assert.equal(lines(await fromUrl("delete", "--applyset", "shop")).length, applied.length);
    await nothingLeft(other, shop, otherBefore);
  },
);
