import assert from "node:assert/strict";
import { configMap, deployment, type Ended, Files, kurun, kurunReading } from "./apply_runs.ts";
import { clusterTest, kubectl, type TestNamespace } from "./kubernetes.ts";
import { KurunProcess } from "./kurun_process.ts";

/** Runs kurun without a namespace. */
function kurun0(...words: string[]): Promise<Ended> {
  return KurunProcess.run(words);
}

async function get(namespace: TestNamespace, object: string, path: string): Promise<string> {
  return await kubectl(["get", object, "-n", namespace.name, "--show-managed-fields", "-o", `jsonpath={${path}}`]);
}

async function names(namespace: TestNamespace, kinds: string): Promise<string[]> {
  const text = await kubectl(["get", kinds, "-n", namespace.name, "-o", "name"]);
  return text.trim().split("\n").filter((name) => name !== "" && name !== "configmap/kube-root-ca.crt");
}

clusterTest("manifests are applied from a folder, from standard input and from a URL, with kubectl's lines", async (namespace) => {
  await using files = await Files.of({
    "k8s/a.yaml": `${configMap("one", { a: "1" })}---\n${deployment("web", { replicas: 0 })}`,
    "k8s/b.json": JSON.stringify({
      apiVersion: "v1",
      kind: "List",
      items: [{ apiVersion: "v1", kind: "Service", metadata: { name: "web" }, spec: { ports: [{ port: 80 }] } }],
    }),
    "k8s/deep/c.yml": configMap("deep"),
  });
  const folder = await kurun(namespace, "apply", "-f", files.path("k8s"));
  assert.deepEqual(folder, {
    code: 0,
    stdout: "configmap/one serverside-applied\ndeployment.apps/web serverside-applied\nservice/web serverside-applied\n",
    stderr: "",
  });
  const deep = await kurun(namespace, "apply", "-R", "-f", files.path("k8s"), "-o", "name");
  assert.deepEqual([deep.code, deep.stdout.split("\n").at(-2)], [0, "configmap/deep"]);
  const stdin = await kurunReading(configMap("piped"), ["apply", "-f", "-", "-n", namespace.name], files.folder);
  assert.deepEqual(stdin, { code: 0, stdout: "configmap/piped serverside-applied\n", stderr: "" });
  await using server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, () => new Response(configMap("fetched")));
  const url = await kurun(namespace, "apply", "-f", `http://127.0.0.1:${server.addr.port}/x.yaml`);
  assert.deepEqual(url, { code: 0, stdout: "configmap/fetched serverside-applied\n", stderr: "" });
  assert.deepEqual(await names(namespace, "cm,deploy,svc"), [
    "configmap/deep",
    "configmap/fetched",
    "configmap/one",
    "configmap/piped",
    "deployment.apps/web",
    "service/web",
  ]);
});

clusterTest(
  "a CustomResourceDefinition, its objects and their namespace are applied in one run, in any order, and deleted",
  async (namespace) => {
    const group = `${namespace.name}.example.com`;
    const inner = `${namespace.name}-inner`;
    await using files = await Files.of({
      "all.yaml": [
        `apiVersion: ${group}/v1\nkind: Cron\nmetadata: {name: x, namespace: ${inner}}\nspec: {image: a, any: {thing: [1, {b: "c"}]}}\n`,
        `apiVersion: v1\nkind: Namespace\nmetadata: {name: ${inner}}\n`,
        `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: crons.${group}}
spec:
  group: ${group}
  names: {kind: Cron, plural: crons}
  scope: Namespaced
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
`,
      ].join("---\n"),
    });
    const trial = await kurun0("apply", "-f", files.path("all.yaml"), "--dry-run=server");
    assert.deepEqual([trial.code, trial.stderr], [
      0,
      `cron.${group}/x cannot be previewed, because its namespace or kind does not exist yet\n`,
    ]);
    const applied = await kurun0("apply", "-f", files.path("all.yaml"));
    assert.deepEqual(applied, {
      code: 0,
      stdout: `namespace/${inner} serverside-applied\n` +
        `customresourcedefinition.apiextensions.k8s.io/crons.${group} serverside-applied\ncron.${group}/x serverside-applied\n`,
      stderr: "",
    });
    // Fields that no Go type has are kept.
    assert.equal(await kubectl(["get", `crons.${group}`, "x", "-n", inner, "-o", "jsonpath={.spec.any}"]), '{"thing":[1,{"b":"c"}]}');
    for (const strategy of ["client", "server"]) {
      const dry = await kurun0("delete", "-f", files.path("all.yaml"), `--dry-run=${strategy}`);
      assert.match(dry.stdout, /^cron\.\S+ "x" deleted from \S+ namespace \((server )?dry run\)\n/);
    }
    assert.equal(await kubectl(["get", `crons.${group}`, "-n", inner, "-o", "name"]), `cron.${group}/x\n`);
    const deleted = await kurun0("delete", "-f", files.path("all.yaml"));
    assert.deepEqual(deleted, {
      code: 0,
      stdout: `cron.${group} "x" deleted from ${inner} namespace\n` +
        `customresourcedefinition.apiextensions.k8s.io "crons.${group}" deleted\nnamespace "${inner}" deleted\n`,
      stderr: "",
    });
    assert.equal(await kubectl(["get", "namespace", inner, "--ignore-not-found"]), "");
    assert.equal((await kurun0("delete", "-f", files.path("all.yaml"), "--ignore-not-found")).code, 0);
    const again = await kurun0("delete", "-f", files.path("all.yaml"));
    // The API server lists a kind for a moment after it is deleted.
    assert.notEqual(again.code, 0);
    assert.match(again.stderr, /^(\S+all\.yaml:1:1: the cluster has no Cron in |error: cron\.\S+ does not exist in namespace )/);
  },
);

clusterTest("--diff and --dry-run=server show which of kubectl's fields disappear, exactly as they then do", async (namespace) => {
  const manifest = (env: string, more: string) =>
    deployment("web", { replicas: 0 }).replace("        image:", `        env: [${env}]\n        ports: [${more}]\n        image:`);
  await using files = await Files.of({
    "a.yaml": `${configMap("one", { a: "1", b: "2" })}---\n${
      manifest("{name: A, value: '1'}, {name: B, value: '2'}", "{containerPort: 80}, {containerPort: 81}")
    }`,
  });
  await kubectl(["apply", "-n", namespace.name, "-f", files.path("a.yaml")]);
  await files.write("a.yaml", `${configMap("one", { a: "1" })}---\n${manifest("{name: B, value: '3'}", "{containerPort: 81}")}`);
  const diff = await kurun(namespace, "apply", "--diff", "-f", files.path("a.yaml"));
  assert.equal(diff.code, 1, diff.stderr);
  assert.match(diff.stdout, /^- {2}b: "2"$/m);
  assert.match(diff.stdout, /^-.*name: A$/m);
  assert.match(diff.stdout, /^-.*containerPort: 80$/m);
  assert.doesNotMatch(diff.stdout, /last-applied/);
  const wanted = (json: string) =>
    (JSON.parse(json).items as { data?: unknown; spec?: unknown; metadata: { annotations?: unknown } }[])
      .map(({ data, spec, metadata: { annotations } }) => ({ data, spec, annotations }));
  const trial = await kurun(namespace, "apply", "--dry-run=server", "-o", "json", "-f", files.path("a.yaml"));
  const real = await kurun(namespace, "apply", "-o", "json", "-f", files.path("a.yaml"));
  assert.deepEqual([trial.code, real.code], [0, 0], trial.stderr + real.stderr);
  assert.deepEqual(wanted(trial.stdout), wanted(real.stdout));
});

clusterTest(
  "kurun takes over what kubectl applied without a conflict, and removes fields that are no longer in the manifest",
  async (namespace) => {
    await using files = await Files.of({ "a.yaml": configMap("one", { a: "1", b: "2" }) });
    await kubectl(["apply", "-n", namespace.name, "-f", files.path("a.yaml")]);
    await files.write("a.yaml", configMap("one", { a: "changed" }));
    assert.deepEqual(await kurun(namespace, "apply", "-f", files.path("a.yaml")), {
      code: 0,
      stdout: "configmap/one serverside-applied\n",
      stderr: "",
    });
    assert.equal(await get(namespace, "cm/one", ".data"), '{"a":"changed"}');
    assert.equal(await get(namespace, "cm/one", ".metadata.annotations"), "");
    assert.equal(await get(namespace, "cm/one", ".metadata.managedFields[*].manager"), "kurun");
    // The same values again: then there is no conflict that would reveal the owner.
    await files.write("b.yaml", configMap("two", { a: "1", b: "2" }));
    await kubectl(["apply", "-n", namespace.name, "-f", files.path("b.yaml")]);
    await files.write("b.yaml", configMap("two", { a: "1" }));
    assert.equal((await kurun(namespace, "apply", "-f", files.path("b.yaml"))).code, 0);
    assert.equal(await get(namespace, "cm/two", ".data"), '{"a":"1"}');
  },
);

clusterTest("a controller's field that the manifest does not set is left to the controller", async (namespace) => {
  await using files = await Files.of({ "a.yaml": deployment("web") });
  assert.equal((await kurun(namespace, "apply", "-f", files.path("a.yaml"))).code, 0);
  await kubectl(["scale", "deployment", "web", "--replicas=0", "-n", namespace.name]);
  await files.write("a.yaml", deployment("web", { image: "kurun.test/other:1" }));
  assert.equal((await kurun(namespace, "apply", "-f", files.path("a.yaml"))).code, 0);
  assert.equal(await get(namespace, "deploy/web", ".spec.replicas"), "0");
  assert.equal(await get(namespace, "deploy/web", ".spec.template.spec.containers[0].image"), "kurun.test/other:1");
});

clusterTest(
  "a conflict names the field, its owner and the flag; the other objects are applied, and the outcome lists both",
  async (namespace) => {
    const text = `${configMap("one")}---\n${deployment("web", { replicas: 0 })}---\n${configMap("two")}`;
    await using files = await Files.of({ "a.yaml": text });
    const path = files.path("a.yaml");
    assert.equal((await kurun(namespace, "apply", "-f", path)).code, 0);
    await kubectl([
      "patch",
      "deployment",
      "web",
      "-n",
      namespace.name,
      "--field-manager=somebody",
      "-p",
      '{"spec":{"minReadySeconds":7,"paused":true}}',
    ]);
    await files.write("a.yaml", text.replace("  replicas: 0\n", "  replicas: 0\n  minReadySeconds: 5\n  paused: false\n"));
    const { code, stdout, stderr } = await kurun(namespace, "apply", "-f", path);
    assert.deepEqual([code, stdout], [1, "configmap/one serverside-applied\nconfigmap/two serverside-applied\n"]);
    assert.equal(
      stderr,
      [
        `error: ${path}:5:1: deployment.apps/web: fields have another value, set by another manager:`,
        "  somebody owns .spec.minReadySeconds, .spec.paused",
        "  Remove them from the manifest, or take them over with --force-conflicts",
        "error: applied: configmap/one, configmap/two",
        "  refused: deployment.apps/web\n",
      ].join("\n"),
    );
    assert.equal(await get(namespace, "deploy/web", ".spec.minReadySeconds"), "7");
    assert.equal((await kurun(namespace, "apply", "-f", path, "--force-conflicts")).code, 0);
    assert.equal(await get(namespace, "deploy/web", ".spec.minReadySeconds"), "5");
  },
);

clusterTest("after a namespace is refused nothing else is tried, and the outcome says so", async (namespace) => {
  await using files = await Files.of({
    "a.yaml": `${configMap("one")}---\napiVersion: v1\nkind: Namespace\nmetadata: {name: Wrong_Name}\n`,
  });
  const { code, stdout, stderr } = await kurun(namespace, "apply", "-f", files.path("a.yaml"));
  assert.deepEqual([code, stdout], [1, ""]);
  assert.match(stderr, /a\.yaml:7:12: namespace\/Wrong_Name: Error from server \(Invalid\): /);
  assert.ok(stderr.endsWith("error: nothing was applied\n  refused: namespace/Wrong_Name\n  not attempted: configmap/one\n"), stderr);
});

clusterTest("one malformed file of ten is reported with its place and all other problems, and nothing is applied", async (namespace) => {
  const files = await Files.of(Object.fromEntries(Array.from({ length: 8 }, (_, index) => [`m${index}.yaml`, configMap(`m${index}`)])));
  await using _files = files;
  await files.write("m8.yaml", `${configMap("m8")}---\nspec:\n  a: [1\n  b: 2\n`);
  await files.write(
    "m9.yaml",
    `kind: ConfigMap\nmetadata: {name: m9}\n---\n${configMap("m0")}---\n${deployment("web", { image: "kurun://./missing" })}` +
      "---\n{apiVersion: none.example/v1, kind: None, metadata: {name: none}}\n",
  );
  const unread = files.path("not-there.yaml");
  const { code, stdout, stderr } = await kurun(namespace, "apply", "-f", files.folder, "-f", unread);
  assert.deepEqual([code, stdout], [2, ""]);
  const lines = stderr.trimEnd().split("\n").map((line) => line.replaceAll(`${files.folder}/`, ""));
  assert.match(lines[0]!, /^m8\.yaml:7:3: Flow sequence in block collection/);
  const rest = lines.filter((line) => line.startsWith("m9"));
  assert.deepEqual(rest, [
    "m9.yaml:1:1: this object has no apiVersion",
    "m9.yaml:4:1: ConfigMap m0 occurs twice; the first is at m0.yaml:1",
    "m9.yaml:20:16: kurun://./missing: there is no file or folder missing",
    "m9.yaml:23:1: the cluster has no None in none.example/v1: its CustomResourceDefinition is neither in the cluster nor in these files",
  ]);
  assert.ok(lines.includes("not-there.yaml: no such file or folder"), stderr);
  assert.deepEqual(await names(namespace, "cm,deploy"), []);
});

clusterTest("a reference in a manifest from a URL is refused with the reason", async (namespace) => {
  await using server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen() {} },
    () => new Response(deployment("web", { image: "kurun://./x" })),
  );
  const { code, stderr } = await kurun(namespace, "apply", "-f", `http://127.0.0.1:${server.addr.port}/x.yaml`);
  assert.equal(code, 2);
  assert.match(stderr, /x\.yaml:13:16: kurun:\/\/\.\/x refers to source on this machine, which a downloaded manifest may not choose/);
});

clusterTest(
  "a dry run applies nothing, --dry-run=server prints the server's answer, and --diff shows what would change",
  async (namespace) => {
    await using files = await Files.of({ "a.yaml": configMap("one", { a: "1" }) });
    const path = files.path("a.yaml");
    assert.equal((await kurun(namespace, "apply", "-f", path, "--dry-run=client")).stdout, "configmap/one serverside-applied (dry run)\n");
    assert.equal(
      (await kurun(namespace, "apply", "-f", path, "--dry-run=server")).stdout,
      "configmap/one serverside-applied (server dry run)\n",
    );
    const created = await kurun(namespace, "apply", "-f", path, "--diff");
    assert.equal(created.code, 1);
    assert.match(created.stdout, /^--- live\/.*\n\+\+\+ applied\/t-\w+\/configmap\/one\n@@ -0,0 \+1,\d+ @@\n\+apiVersion: v1\n/);
    assert.deepEqual(await names(namespace, "cm"), []);
    assert.equal((await kurun(namespace, "apply", "-f", path)).code, 0);
    assert.deepEqual(await kurun(namespace, "apply", "-f", path, "--diff"), { code: 0, stdout: "", stderr: "" });
    await files.write("a.yaml", configMap("one", { a: "2" }));
    const changed = await kurun(namespace, "apply", "-f", path, "--diff");
    assert.equal(changed.code, 1);
    assert.match(changed.stdout, /\n- {2}a: "1"\n\+ {2}a: "2"\n/);
    const bad = await kurun(namespace, "apply", "--dry-run=server", "-f", "/dev/null");
    assert.deepEqual([bad.code, bad.stderr], [2, "error: these manifests contain no objects\n"]);
  },
);

clusterTest("a diff never shows a Secret's values", async (namespace) => {
  const secret = (value: string) => `apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {same: "keep", password: "${value}"}\n`;
  await using files = await Files.of({ "a.yaml": secret("before") });
  assert.equal((await kurun(namespace, "apply", "-f", files.path("a.yaml"))).code, 0);
  await files.write("a.yaml", secret("after"));
  const { code, stdout } = await kurun(namespace, "apply", "-f", files.path("a.yaml"), "--diff");
  assert.equal(code, 1);
  assert.match(stdout, /^- {2}password: \(not shown\)\n\+ {2}password: \(not shown, changed\)$/m);
  assert.ok(!stdout.includes(btoa("before")) && !stdout.includes(btoa("after")) && !stdout.includes("after\n"), stdout);
  // kubectl keeps the whole manifest in an annotation, including the values.
  await files.write("b.yaml", secret("secret-of-kubectl").replace("name: s", "name: t"));
  await kubectl(["apply", "-n", namespace.name, "-f", files.path("b.yaml")]);
  await files.write("b.yaml", secret("after").replace("name: s", "name: t"));
  const kubectls = await kurun(namespace, "apply", "-f", files.path("b.yaml"), "--diff");
  assert.equal(kubectls.code, 1, kubectls.stderr);
  assert.doesNotMatch(kubectls.stdout, /secret-of-kubectl|last-applied/);
  assert.match(kubectls.stdout, /^ {3}same: \(not shown\)$/m);
});

clusterTest("-o prints the objects as the cluster has them, a single one by itself and several as a List", async (namespace) => {
  await using files = await Files.of({ "a.yaml": configMap("one", { on: "yes" }), "b.yaml": configMap("two") });
  const one = await kurun(namespace, "apply", "-f", files.path("a.yaml"), "-o", "json");
  const object = JSON.parse(one.stdout);
  assert.deepEqual([object.kind, object.data, object.metadata.managedFields], ["ConfigMap", { on: "yes" }, undefined]);
  const both = await kurun(namespace, "apply", "-f", files.folder, "-o", "yaml", "--show-managed-fields");
  // kubectl reads what kurun prints, so text that it would take for booleans is quoted.
  const read = await kubectl(["create", "-f", "-", "--dry-run=client", "-o", "jsonpath={.metadata.name} {.data}\n"], both.stdout);
  assert.equal(read, 'one {"on":"yes"}\ntwo \n');
  assert.match(both.stdout, /manager: kurun/);
});

clusterTest("an unknown field is refused by its name", async (namespace) => {
  await using files = await Files.of({
    "a.yaml": deployment("web", { replicas: 0 }).replace("  replicas: 0\n", "  replicas: 0\n  replicsa: 1\n"),
  });
  const { code, stderr } = await kurun(namespace, "apply", "-f", files.path("a.yaml"));
  assert.equal(code, 1);
  assert.match(stderr, /a\.yaml:6:3: deployment\.apps\/web: Error from server: .*\.spec\.replicsa: field not declared/);
});

clusterTest(
  "-n that contradicts a manifest, flags after -- and an empty command line are refused before any request",
  async (namespace) => {
    await using files = await Files.of({ "a.yaml": configMap("one").replace("{name: one}", "{name: one, namespace: elsewhere}") });
    const other = await kurun(namespace, "apply", "-f", files.path("a.yaml"));
    assert.equal(other.code, 2);
    assert.match(other.stderr, /a\.yaml:1:1: ConfigMap one is in namespace elsewhere, but -n says t-/);
    const words = await kurun0("apply", "-f", files.path("a.yaml"), "--", "--namespace=x");
    assert.deepEqual([words.code, words.stderr.slice(0, 40)], [2, "error: --namespace=x after -- is not a m"]);
    assert.match((await kurun0("apply")).stderr, /^error: no manifests given: /);
    assert.match(
      (await kurun0("apply", "-k", "x")).stderr,
      /^error: kurun apply does not support --kustomize: use kubectl kustomize FOLDER \| kurun apply -f -/,
    );
  },
);

clusterTest("--wait follows a Job until it ends", async (namespace) => {
  const job = (spec: string) =>
    deployment("j").replace("apps/v1", "batch/v1").replace("kind: Deployment", "kind: Job")
      .replace("  selector: {matchLabels: {app: j}}\n", `  ${spec}\n`).replace("    spec:\n", "    spec:\n      restartPolicy: Never\n");
  await using files = await Files.of({ "a.yaml": job("activeDeadlineSeconds: 1") });
  const failed = await kurun(namespace, "apply", "-f", files.path("a.yaml"), "--wait");
  assert.equal(failed.code, 1);
  assert.match(failed.stderr, /error: everything was applied, but these objects did not become ready:\n {2}job\.batch\/j: .*deadline/);
  await kubectl(["delete", "job", "j", "-n", namespace.name]);
  await files.write("a.yaml", job("completions: 0"));
  const done = await kurun(namespace, "apply", "-f", files.path("a.yaml"), "--wait");
  assert.deepEqual([done.code, done.stderr], [0, "job.batch/j is ready\n"]);
});

clusterTest("--wait says what a Pod waits for, and what does not become ready", async (namespace) => {
  await using files = await Files.of({ "a.yaml": deployment("web", { replicas: 1, image: "kurun.test/none:1" }) });
  const { code, stdout, stderr } = await kurun(namespace, "apply", "-f", files.path("a.yaml"), "--wait", "--timeout", "4s");
  assert.deepEqual([code, stdout], [1, "deployment.apps/web serverside-applied\n"]);
  assert.match(
    stderr,
    /^Waiting for deployment\.apps\/web: 0 of 1 Pods are ready\nWaiting for deployment\.apps\/web: pod\/web-\S+: ErrImagePull: /,
  );
  assert.match(
    stderr,
    /^error: everything was applied, but these objects did not become ready:\n {2}deployment\.apps\/web: 0 of 1 Pods are ready; pod\/web-/m,
  );
  await files.write("a.yaml", deployment("web", { replicas: 0 }));
  const ready = await kurun(namespace, "apply", "-f", files.path("a.yaml"), "--wait");
  assert.deepEqual([ready.code, ready.stderr], [0, "deployment.apps/web is ready\n"]);
});

clusterTest("delete says why an object still exists, and gives up after --timeout", async (namespace) => {
  await using files = await Files.of({ "a.yaml": configMap("kept") });
  assert.equal((await kurun(namespace, "apply", "-f", files.path("a.yaml"))).code, 0);
  await kubectl(["patch", "cm", "kept", "-n", namespace.name, "-p", '{"metadata":{"finalizers":["example.com/keep"]}}']);
  const { code, stdout, stderr } = await kurun(namespace, "delete", "-f", files.path("a.yaml"), "--timeout", "5s");
  await kubectl(["patch", "cm", "kept", "-n", namespace.name, "--type=merge", "-p", '{"metadata":{"finalizers":null}}']);
  assert.deepEqual([code, stdout], [1, `configmap "kept" deleted from ${namespace.name} namespace\n`]);
  assert.equal(
    stderr,
    "Waiting until configmap/kept is gone: its finalizers are not done: example.com/keep\n" +
      "error: configmap/kept is still being deleted after 5 s\nerror: 1 of 1 objects were not deleted\n",
  );
});

clusterTest("a missing right is reported for the object that needs it", async (namespace) => {
  await using files = await Files.of({ "a.yaml": configMap("one") });
  const { code, stderr } = await kurun(namespace, "apply", "-f", files.path("a.yaml"), "--as", "nobody");
  assert.equal(code, 1);
  assert.match(stderr, /a\.yaml:1:1: configmap\/one: Error from server \(Forbidden\): .*User "nobody" cannot patch/);
  assert.match(stderr, /^error: nothing was applied\n {2}refused: configmap\/one$/m);
});

clusterTest("Ctrl+C during --wait says what was applied, and exits with a failure", async (namespace) => {
  await using files = await Files.of({ "a.yaml": deployment("web", { replicas: 1 }), "b.yaml": configMap("kept") });
  await using apply = KurunProcess.start(["apply", "-f", files.folder, "--wait", "-n", namespace.name]);
  await apply.waitFor(/Waiting for deployment/);
  apply.signal("SIGINT");
  assert.equal(await apply.exit, 130);
  assert.match(apply.stderr, /^error: interrupted: everything was applied, but not everything is ready yet\n$/m);
  await kubectl(["patch", "cm", "kept", "-n", namespace.name, "-p", '{"metadata":{"finalizers":["example.com/keep"]}}']);
  await using remove = KurunProcess.start(["delete", "-f", files.path("b.yaml"), "-n", namespace.name]);
  await remove.waitFor(/Waiting until configmap/);
  remove.signal("SIGINT");
  assert.equal(await remove.exit, 130);
  assert.match(remove.stderr, /^error: interrupted: the objects above are being deleted, but not all are gone yet$/m);
  await kubectl(["patch", "cm", "kept", "-n", namespace.name, "--type=merge", "-p", '{"metadata":{"finalizers":null}}']);
});

/** A Service with one port called http. */
function service(port: number, protocol = "TCP"): string {
  return `apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec:\n  selector: {app: s}\n  ports:\n  - {name: http, protocol: ${protocol}, port: ${port}}\n`;
}

/** A Deployment with additional fields in its container and its Pod. */
function changing(container: string, pod: string): string {
  return deployment("web", { replicas: 0 }).replace("        image:", `        ${container}\n        image:`)
    .replace("      containers:", `      ${pod}\n      containers:`);
}

clusterTest("a list item that kubectl made is replaced, whichever command made it", async (namespace) => {
  const ways = [["apply"], ["create"], ["apply", "--server-side"]];
  await using files = await Files.of({});
  const changes = [
    [service(80), service(81), "svc/s", ".spec.ports[*].port", "81"],
    [service(80), service(80, "UDP"), "svc/s", ".spec.ports[*].protocol", "UDP"],
    [
      changing("ports: [{name: http, containerPort: 80}]", "volumes: [{name: v, emptyDir: {}}]"),
      changing("ports: [{name: http, containerPort: 81}]", "volumes: [{name: v, configMap: {name: one}}]"),
      "deploy/web",
      ".spec.template.spec.containers[0].ports[*].containerPort",
      "81",
    ],
    [
      changing("livenessProbe: {httpGet: {port: 80}}", "hostname: a"),
      changing("livenessProbe: {tcpSocket: {port: 80}}", "hostname: a"),
      "deploy/web",
      ".spec.template.spec.containers[0].livenessProbe.httpGet",
      "",
    ],
  ] as const;
  for (const way of ways) {
    for (const [before, after, object, path, expected] of changes) {
      await files.write("a.yaml", before);
      await kubectl([...way, "-n", namespace.name, "-f", files.path("a.yaml")]);
      await files.write("a.yaml", after);
      const { code, stderr } = await kurun(namespace, "apply", "-f", files.path("a.yaml"));
      assert.deepEqual([code, stderr], [0, ""], `${way.join(" ")}: ${path}`);
      assert.equal(await get(namespace, object, path), expected, way.join(" "));
      await kubectl(["delete", object, "-n", namespace.name]);
    }
  }
});

clusterTest("an invalid manifest leaves kubectl's fields to kubectl", async (namespace) => {
  await using files = await Files.of({ "a.yaml": service(80) });
  await kubectl(["apply", "-n", namespace.name, "-f", files.path("a.yaml")]);
  const before = await get(namespace, "svc/s", ".metadata.managedFields[*].manager");
  await files.write("a.yaml", service(99999));
  const { code, stderr } = await kurun(namespace, "apply", "-f", files.path("a.yaml"));
  assert.equal(code, 1);
  assert.match(stderr, /must be between 1 and 65535/);
  assert.equal(await get(namespace, "svc/s", ".metadata.managedFields[*].manager"), before);
});

clusterTest("every character of a ConfigMap arrives unchanged, and so does a commit hash", async (namespace) => {
  const data = {
    Makefile: "all:\n\techo hi\r\n",
    special: "\u007f\u0085\u009b\u2028\u2029\ufeff\u202e\u0007\u001b[31m",
    commit: "12e4567",
  };
  await using files = await Files.of({
    "a.json": JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "one" }, data }),
    "b.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: two}\ndata: {COMMIT: 12e4567}\n",
  });
  assert.equal((await kurun(namespace, "apply", "-f", files.path("a.json"), "-f", files.path("b.yaml"))).code, 0);
  assert.deepEqual(JSON.parse(await kubectl(["get", "cm", "one", "-n", namespace.name, "-o", "json"])).data, data);
  assert.equal(await get(namespace, "cm/two", ".data.COMMIT"), "12e4567");
  const printed = await kurun(namespace, "apply", "-f", files.path("a.json"), "--dry-run=client", "-o", "yaml");
  assert.deepEqual(JSON.parse(await kubectl(["create", "-f", "-", "--dry-run=client", "-o", "json"], printed.stdout)).data, data);
});
