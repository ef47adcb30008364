/**
 * Images from local source, brought to the cluster through containerd and through a real registry, and Pods that run them.
 *
 * @module
 */
import assert from "node:assert/strict";
import { KurunProcess } from "./kurun_process.ts";
import { clusterTest, kubectl, logOf, type TestNamespace } from "./kubernetes.ts";
import { freePort, REGISTRY_PATH, REGISTRY_USER, TestRegistry } from "./registry.ts";

const OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const EXAMPLE = new URL("../../examples/apply", import.meta.url).pathname;

/** A copy of the example for one test, so that nothing of it was built before. */
async function withSources(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "kurun-sources-" });
  try {
    const { success } = await new Deno.Command("cp", { args: ["-r", `${EXAMPLE}/.`, folder] }).output();
    assert.ok(success);
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** A folder with a Docker config and credential helpers. */
async function dockerConfig(
  config: unknown,
  helpers: Record<string, string> = {},
): Promise<AsyncDisposable & { env: Record<string, string>; folder: string }> {
  const folder = await Deno.makeTempDir({ prefix: "kurun-docker-" });
  await Deno.writeTextFile(`${folder}/config.json`, JSON.stringify(config));
  for (const [name, text] of Object.entries(helpers)) {
    await Deno.writeTextFile(`${folder}/docker-credential-${name}`, text);
    await Deno.chmod(`${folder}/docker-credential-${name}`, 0o755);
  }
  return {
    folder,
    env: { DOCKER_CONFIG: folder, PATH: `${folder}:${Deno.env.get("PATH")}` },
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}

async function build(args: string[], env: Record<string, string> = {}): Promise<{ references: string[]; stderr: string }> {
  const { code, stdout, stderr } = await KurunProcess.run(["build", ...args], env);
  assert.equal(code, 0, stderr);
  return { references: stdout.trim().split("\n"), stderr };
}

/** A Pod that the policy `restricted` admits. */
function pod(name: string, image: string, more: { args?: string[]; env?: Record<string, string>; pullSecret?: string } = {}): unknown {
  const env = Object.entries(more.env ?? {}).map(([name, value]) => ({ name, value }));
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, labels: { app: name } },
    spec: {
      restartPolicy: "Never",
      securityContext: { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } },
      ...more.pullSecret && { imagePullSecrets: [{ name: more.pullSecret }] },
      containers: [{
        name: "main",
        image,
        env,
        ...more.args && { args: more.args },
        securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ["ALL"] } },
      }],
    },
  };
}

async function runPod({ name }: TestNamespace, object: unknown): Promise<void> {
  const said = await kubectl(["create", "-n", name, "-f", "-"], JSON.stringify(object));
  assert.match(said, /created/);
}

async function address({ name }: TestNamespace, podName: string): Promise<string> {
  await kubectl(["wait", `pod/${podName}`, "--for=condition=Ready", "--timeout=30s", "-n", name]);
  return await kubectl(["get", "pod", podName, "-n", name, "-o", "jsonpath={.status.podIP}"]);
}

clusterTest(
  "Go and TypeScript programs run under restricted through containerd, and unchanged sources are neither built nor sent",
  async (namespace) => {
    await withSources(async (folder) => {
      const sources = ["api", "worker", "report"].map((name) => `${folder}/${name}`);
      // Unique, because the cluster may have the example's images already.
      const mark = `"${crypto.randomUUID()}"`;
      await Deno.writeTextFile(`${folder}/orders/mark.go`, `package orders\n\nvar Mark = ${mark}\n\nfunc init() { println(Mark) }\n`);
      await Deno.writeTextFile(`${folder}/worker/main.ts`, `\nconsole.log(${mark});\n`, { append: true });
      const first = await build(sources);
      const [api = "", worker = "", report = ""] = first.references;
      for (const [at, name] of ["api", "worker", "report"].entries()) {
        assert.match(first.references[at] ?? "", new RegExp(`^kurun\\.local/${name}@sha256:[0-9a-f]{64}$`));
        assert.match(first.stderr, new RegExp(`^Built .*${name} \\(`, "m"));
      }
      assert.match(first.stderr, /^Loading api, worker, report into containerd/m);

      await runPod(namespace, pod("api", api));
      const host = await address(namespace, "api");
      const order = await fetch(`http://${host}:8080/orders`, { method: "POST", body: '{"item": "tea"}' });
      assert.equal(order.status, 201);
      await order.body?.cancel();
      await runPod(namespace, pod("worker", worker, { env: { API: `http://${host}:8080` } }));
      await logOf(namespace, "worker", /^order 1, tea, is done$/m);
      // The image has time zones; the machines here have none.
      await runPod(namespace, pod("report", report, { args: ["-api", `http://${host}:8080`, "-zone", "Pacific/Auckland"] }));
      assert.match(await logOf(namespace, "report", /orders/), /^\d{4}-\d\d-\d\d \d\d:\d\d NZ[SD]T: 1 orders, 1 done$/m);
      const policies = await kubectl([
        "get",
        "pods",
        "-n",
        namespace.name,
        "-o",
        "jsonpath={.items[*].spec.containers[*].imagePullPolicy}",
      ]);
      assert.equal(policies, "IfNotPresent IfNotPresent IfNotPresent");

      const again = await build(sources);
      assert.deepEqual(again, { references: first.references, stderr: "" });

      // An export that nothing imports changes the file, but not what is built from it.
      await Deno.writeTextFile(`${folder}/worker/next_order.ts`, "export const unused = 1;\n", { append: true });
      // A file that was not there, of a package that both Go programs use.
      await Deno.writeTextFile(`${folder}/orders/more.go`, 'package orders\n\nfunc init() { println("more", Mark) }\n');
      const changed = await build(sources);
      assert.deepEqual([...changed.stderr.matchAll(/^Built \S*\/(\w+) /gm)].map(([, name]) => name).sort(), ["api", "report", "worker"]);
      assert.match(changed.stderr, /^Loading api, report into containerd/m);
      assert.equal(changed.references[1], worker);
      assert.notEqual(changed.references[0], api);
      assert.notEqual(changed.references[2], report);
      await runPod(namespace, pod("report-2", changed.references[2] ?? "", { args: ["-api", `http://${host}:8080`] }));
      assert.match(await logOf(namespace, "report-2", /1 done/), /^more /m);
    });
  },
);

clusterTest("the same source in another folder gives the same image", async () => {
  const digests: string[] = [];
  for (let times = 2; times > 0; times--) {
    await withSources(async (folder) => {
      const { references } = await build([`${folder}/api`, `${folder}/worker`]);
      digests.push(references.join(" "));
    });
  }
  assert.equal(digests[0], digests[1]);
});

clusterTest("a registry with token authentication gets what it lacks, and Pods pull by digest", async (namespace) => {
  await using registry = await TestRegistry.start("token");
  const auth = btoa(`${REGISTRY_USER.username}:${REGISTRY_USER.password}`);
  await using docker = await dockerConfig({ auths: { [registry.registry]: { auth } } });
  const repo = `${registry.registry}/${REGISTRY_PATH}`;
  const args = [`${EXAMPLE}/api`, `${EXAMPLE}/worker`, "--repo", repo];
  const first = await build(args, docker.env);
  const [api = "", worker = ""] = first.references;
  assert.match(api, new RegExp(`^${repo}/api@sha256:[0-9a-f]{64}$`));
  assert.match(first.stderr, /^Pushed shop\/api, shop\/worker to /m);
  const [, digest] = api.split("@");
  const manifest = await registry.get(`/v2/${REGISTRY_PATH}/api/manifests/${digest}`, OCI_MANIFEST);
  assert.equal(manifest.status, 200);
  assert.equal((await manifest.json()).layers.length, 2);

  const secret = [
    "--docker-server",
    registry.registry,
    "--docker-username",
    REGISTRY_USER.username,
    "--docker-password",
    REGISTRY_USER.password,
  ];
  await kubectl(["create", "secret", "docker-registry", "pull", "-n", namespace.name, ...secret]);
  await runPod(namespace, pod("api", api, { pullSecret: "pull" }));
  const host = await address(namespace, "api");
  await runPod(namespace, pod("worker", worker, { pullSecret: "pull", env: { API: `http://${host}:8080` } }));
  await logOf(namespace, "worker", /^working for /m);

  const again = await build(args, docker.env);
  assert.deepEqual(again.references, first.references);
  assert.doesNotMatch(again.stderr, /Push/);
});

clusterTest("a registry with Basic authentication gets name and password from a credential helper", async () => {
  await using registry = await TestRegistry.start("basic");
  const helper = `#!/bin/sh
read registry
echo "$@ $registry" >> "$DOCKER_CONFIG/asked"
echo "{\\"Username\\": \\"${REGISTRY_USER.username}\\", \\"Secret\\": \\"${REGISTRY_USER.password}\\"}"
`;
  await using docker = await dockerConfig({ credHelpers: { [registry.registry]: "test" } }, { test: helper });
  const { references } = await build([`${EXAMPLE}/report`, "--repo", `${registry.registry}/any/where`], docker.env);
  const [, digest] = (references[0] ?? "").split("@");
  assert.equal((await registry.get(`/v2/any/where/report/manifests/${digest}`, OCI_MANIFEST)).status, 200);
  assert.equal(await Deno.readTextFile(`${docker.folder}/asked`), `get ${registry.registry}\n`);
});

clusterTest("a registry that refuses or does not answer is named with what to do, and without secrets", async () => {
  await using registry = await TestRegistry.start("token");
  const source = `${EXAMPLE}/report`;
  const refused = async (repo: string, password: string | undefined) => {
    const auths = password === undefined ? {} : { [registry.registry]: { auth: btoa(`${REGISTRY_USER.username}:${password}`) } };
    await using docker = await dockerConfig({ auths });
    const { code, stdout, stderr } = await KurunProcess.run(["build", source, "--repo", repo], docker.env);
    assert.equal(stdout, "");
    assert.equal(code, 1);
    return stderr;
  };
  assert.match(await refused(`${registry.registry}/shop`, undefined), /requires a login to push shop\/report[^]*docker login /);
  const wrong = await refused(`${registry.registry}/shop`, "hunter2");
  assert.match(wrong, /does not accept the credentials in .*config\.json/);
  assert.doesNotMatch(wrong, /hunter2/);
  assert.match(
    await refused(`${registry.registry}/others`, REGISTRY_USER.password),
    /(?:does not accept the credentials|does not let).*push others\/report/,
  );
  const nobody = `127.0.0.1:${freePort()}`;
  assert.match(await refused(`${nobody}/shop`, undefined), /127\.0\.0\.1:\d+ .*cannot be reached: .*refused/i);
});

clusterTest("all sources that cannot be built are named with the compiler's output, and nothing is sent", async () => {
  await withSources(async (folder) => {
    await Deno.writeTextFile(`${folder}/report/main.go`, "package main\n\nfunc main() { missing() }\n");
    await Deno.writeTextFile(`${folder}/worker/main.ts`, 'import "./not_there.ts";\n');
    const { code, stdout, stderr } = await KurunProcess.run([
      "build",
      ...["api", "worker", "report", "k8s", "nowhere"].map((name) => `${folder}/${name}`),
    ]);
    assert.equal(code, 1);
    assert.equal(stdout, "");
    assert.match(stderr, /^error: 4 images could not be built; nothing was sent anywhere$/m);
    assert.match(stderr, /worker: [^]*not_there\.ts/);
    assert.match(stderr, /report: [^]*undefined: missing/);
    assert.match(stderr, /k8s: .*no program/);
    assert.match(stderr, /there is no file or folder .*nowhere/);
    assert.doesNotMatch(stderr, /Loading/);
  });
});

clusterTest("--deliver says where images go, and a wrong value is refused before anything is built", async () => {
  await withSources(async (folder) => {
    const refused = async (...args: string[]) => {
      const { code, stderr } = await KurunProcess.run(["build", `${folder}/report`, ...args]);
      assert.equal(code, 2);
      assert.doesNotMatch(stderr, /Built/);
      return stderr;
    };
    assert.match(await refused("--deliver", "registry"), /--deliver registry needs --repo/);
    assert.match(await refused("--deliver", "pigeon"), /--deliver must be registry, containerd.*got pigeon/);
    assert.match(await refused("--deliver", "kind"), /name the cluster with --deliver kind=NAME/);
    assert.match(await refused("--repo", "https://registry.example/me"), /is not a repository/);
    const { references, stderr } = await build([`${folder}/report`, "--deliver", "containerd=/run/containerd/containerd.sock"]);
    assert.match(references[0] ?? "", /^kurun\.local\/report@/);
    assert.match(stderr, /Built/);
  });
});
