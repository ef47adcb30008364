import assert from "node:assert/strict";
import { configMap, Files, kurun } from "./apply_runs.ts";
import { clusterTest, kubectl, TestNamespace } from "./kubernetes.ts";
import { KurunProcess } from "./kurun_process.ts";

const SET = ["--prune", "--applyset", "shop"];

async function configMaps(namespace: TestNamespace): Promise<string[]> {
  const text = await kubectl(["get", "cm", "-n", namespace.name, "-o", "jsonpath={.items[*].metadata.name}"]);
  return text.split(" ").filter((name) => name !== "kube-root-ca.crt");
}

/** Applies the same set with kubectl. */
async function kubectlApply(namespace: TestNamespace, file: string): Promise<string> {
  const args = ["apply", "--server-side", "--prune", "--applyset=shop", "-n", namespace.name, "-f", file];
  const { stdout, stderr, code } = await new Deno.Command("kubectl", { args, env: { KUBECTL_APPLYSET: "true" } }).output();
  const text = new TextDecoder();
  assert.equal(code, 0, text.decode(stderr));
  return text.decode(stdout);
}

clusterTest("objects that leave a set's manifests are pruned after everything is applied; other objects stay", async (namespace) => {
  await kubectl(["create", "configmap", "foreign", "-n", namespace.name]);
  await using files = await Files.of({
    "a.yaml": configMap("a"),
    "b.yaml": configMap("b"),
    "s.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n",
  });
  const first = await kurun(namespace, "apply", "-f", files.folder, ...SET);
  assert.deepEqual(first, {
    code: 0,
    stdout: "configmap/a serverside-applied\nconfigmap/b serverside-applied\nsecret/s serverside-applied\n",
    stderr: "",
  });
  await Deno.remove(files.path("b.yaml"));
  await Deno.remove(files.path("s.yaml"));
  const dry = await kurun(namespace, "apply", "-f", files.folder, ...SET, "--dry-run=server");
  assert.equal(
    dry.stdout,
    "configmap/a serverside-applied (server dry run)\nconfigmap/b pruned (server dry run)\nsecret/s pruned (server dry run)\n",
  );
  const diff = await kurun(namespace, "apply", "-f", files.folder, ...SET, "--diff");
  assert.deepEqual([diff.code, diff.stderr], [1, ""]);
  assert.deepEqual(diff.stdout.match(/^\+\+\+ .*$/gm), ["configmap/b", "secret/s"].map((label) => `+++ pruned/${namespace.name}/${label}`));
  assert.deepEqual(await configMaps(namespace), ["a", "b", "foreign"]);
  const second = await kurun(namespace, "apply", "-f", files.folder, ...SET);
  assert.deepEqual(second, { code: 0, stdout: "configmap/a serverside-applied\nconfigmap/b pruned\nsecret/s pruned\n", stderr: "" });
  assert.deepEqual(await configMaps(namespace), ["a", "foreign"]);
  const annotations = await kubectl(["get", "secret", "shop", "-n", namespace.name, "-o", "jsonpath={.metadata.annotations}"]);
  assert.equal(JSON.parse(annotations)["applyset.kubernetes.io/contains-group-kinds"], "ConfigMap");
});

clusterTest("kubectl continues kurun's set, and kurun continues kubectl's", async (namespace) => {
  await using files = await Files.of({ "a.yaml": configMap("a"), "b.yaml": configMap("b"), "c.yaml": configMap("c") });
  assert.equal((await kurun(namespace, "apply", "-f", files.folder, ...SET)).code, 0);
  await Deno.remove(files.path("c.yaml"));
  assert.equal(
    await kubectlApply(namespace, files.folder),
    "configmap/a serverside-applied\nconfigmap/b serverside-applied\nconfigmap/c pruned\n",
  );
  await Deno.remove(files.path("b.yaml"));
  const back = await kurun(namespace, "apply", "-f", files.folder, ...SET);
  assert.deepEqual(back, { code: 0, stdout: "configmap/a serverside-applied\nconfigmap/b pruned\n", stderr: "" });
});

clusterTest("a volume claim that leaves the manifests stays, with a warning each time", async (namespace) => {
  const claim = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data}\n" +
    "spec: {storageClassName: none, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}\n";
  await using files = await Files.of({ "a.yaml": configMap("a"), "b.yaml": claim });
  assert.equal((await kurun(namespace, "apply", "-f", files.folder, ...SET)).code, 0);
  await Deno.remove(files.path("b.yaml"));
  for (let time = 0; time < 2; time++) {
    const { code, stdout, stderr } = await kurun(namespace, "apply", "-f", files.folder, ...SET);
    assert.deepEqual([code, stdout], [0, "configmap/a serverside-applied\n"]);
    assert.equal(
      stderr,
      "Warning: persistentvolumeclaim/data is no longer in the manifests, but its kind is never pruned: delete it yourself if you do not need it\n",
    );
  }
  assert.equal(await kubectl(["get", "pvc", "-n", namespace.name, "-o", "name"]), "persistentvolumeclaim/data\n");
});

clusterTest("nothing is pruned if an object could not be applied", async (namespace) => {
  await using files = await Files.of({ "a.yaml": configMap("a"), "b.yaml": configMap("b") });
  assert.equal((await kurun(namespace, "apply", "-f", files.folder, ...SET)).code, 0);
  await Deno.remove(files.path("b.yaml"));
  await files.write("c.yaml", configMap("Wrong_Name"));
  const { code, stdout } = await kurun(namespace, "apply", "-f", files.folder, ...SET);
  assert.deepEqual([code, stdout], [1, "configmap/a serverside-applied\n"]);
  assert.deepEqual(await configMaps(namespace), ["a", "b"]);
});

clusterTest("a set's name that another object has is refused before anything is applied", async (namespace) => {
  await kubectl(["create", "secret", "generic", "shop", "-n", namespace.name]);
  await using files = await Files.of({ "a.yaml": configMap("a") });
  const { code, stderr } = await kurun(namespace, "apply", "-f", files.folder, ...SET);
  assert.equal(code, 3);
  assert.equal(stderr, `error: Secret shop in namespace ${namespace.name} exists and is not a set: choose another name\n`);
  assert.deepEqual(await configMaps(namespace), []);
});

clusterTest("delete removes the objects of the manifests, all other members of the set, and the set itself", async (namespace) => {
  await using files = await Files.of({ "a.yaml": configMap("a"), "b.yaml": configMap("b") });
  assert.equal((await kurun(namespace, "apply", "-f", files.folder, ...SET)).code, 0);
  await Deno.remove(files.path("b.yaml"));
  const lines = (how: string) =>
    ['configmap "a"', 'configmap "b"', 'secret "shop"'].map((what) => `${what} deleted from ${namespace.name} namespace${how}\n`).join("");
  const dry = await kurun(namespace, "delete", "-f", files.folder, "--applyset", "shop", "--dry-run=server");
  assert.deepEqual(dry, { code: 0, stdout: lines(" (server dry run)"), stderr: "" });
  assert.deepEqual(await configMaps(namespace), ["a", "b"]);
  const deleted = await kurun(namespace, "delete", "-f", files.folder, "--applyset", "shop");
  assert.deepEqual(deleted, { code: 0, stdout: lines(""), stderr: "" });
  assert.equal(await kubectl(["get", "cm,secret", "-n", namespace.name, "-o", "name"]), "configmap/kube-root-ca.crt\n");
});

clusterTest("members in other namespaces are pruned too", async (namespace) => {
  await using other = await TestNamespace.create();
  const inOther = (name: string) => configMap(name).replace(`{name: ${name}}`, `{name: ${name}, namespace: ${other.name}}`);
  await using files = await Files.of({ "a.yaml": inOther("a"), "b.yaml": inOther("b") });
  // The set is in the context's namespace, since -n would force all objects into one.
  const context = await kubectl(["config", "view", "--minify", "--raw", "-o", "json"]);
  const config = JSON.parse(context);
  config.contexts[0].context.namespace = namespace.name;
  await files.write("config", JSON.stringify(config));
  const apply = () => KurunProcess.run(["apply", "-f", files.path("a.yaml"), ...more, ...SET, "--kubeconfig", files.path("config")]);
  let more = ["-f", files.path("b.yaml")];
  assert.equal((await apply()).code, 0);
  more = [];
  assert.deepEqual(await apply(), { code: 0, stdout: "configmap/a serverside-applied\nconfigmap/b pruned\n", stderr: "" });
  assert.deepEqual(await configMaps(other), ["a"]);
  assert.match(
    await kubectl(["get", "secret", "shop", "-n", namespace.name, "-o", "jsonpath={.metadata.annotations}"]),
    new RegExp(other.name),
  );
});

clusterTest("a set may contain the namespace that its parent is in", async (namespace) => {
  const inner = `${namespace.name}-inner`;
  await using files = await Files.of({ "a.yaml": `${configMap("a")}---\napiVersion: v1\nkind: Namespace\nmetadata: {name: ${inner}}\n` });
  const run = (...words: string[]) => KurunProcess.run([...words, "-f", files.folder, "-n", inner]);
  const dry = await run("apply", ...SET, "--dry-run=server");
  assert.deepEqual([dry.code, dry.stdout], [0, `namespace/${inner} serverside-applied (server dry run)\n`], dry.stderr);
  const applied = await run("apply", ...SET);
  assert.deepEqual(applied, { code: 0, stdout: `namespace/${inner} serverside-applied\nconfigmap/a serverside-applied\n`, stderr: "" });
  assert.equal((await run("delete", "--applyset", "shop")).code, 0);
  assert.equal(await kubectl(["get", "namespace", inner, "--ignore-not-found"]), "");
});

clusterTest("deleting a set that does not exist is an error", async (namespace) => {
  const typo = await kurun(namespace, "delete", "--applyset", "shpo");
  const stderr = `error: there is no set shpo in namespace ${namespace.name}; nothing was deleted\n`;
  assert.deepEqual(typo, { code: 1, stdout: "", stderr });
  assert.equal((await kurun(namespace, "delete", "--applyset", "shpo", "--ignore-not-found")).code, 0);
});
