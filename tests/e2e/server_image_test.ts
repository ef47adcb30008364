import assert from "node:assert/strict";
import { VERSION } from "../../cli/command/version.ts";
import { serverImageReference } from "../../k8s/images/server_image_name.ts";
import { denoImage } from "../cluster/deno_images.ts";
import { KurunProcess } from "./kurun_process.ts";
import { clusterTest, kubectl, type ListedObject, objectsIn, type TestNamespace } from "./kubernetes.ts";
import { programFolder } from "./run_process.ts";
import { serveHttp } from "./upstreams.ts";

const HELLO = programFolder("examples/hello");
const OWN = serverImageReference(VERSION);

/** The images of a namespace's Pods, and its ConfigMaps with how they are owned. */
async function brought(namespace: TestNamespace): Promise<{ images: string[]; configMaps: ListedObject[] }> {
  const objects = await objectsIn(namespace.name);
  const pods = objects.filter(({ kind, metadata }) => kind === "Pod" && !metadata.deletionTimestamp);
  return {
    images: pods.flatMap(({ spec }) => spec.containers.map(({ image }: { image: string }) => image)),
    configMaps: objects.filter(({ kind, metadata }) => kind === "ConfigMap" && !metadata.deletionTimestamp),
  };
}

/** Forwards, calls the Service once, and ends. @returns what the session had brought */
async function forwardOnce(namespace: TestNamespace, flags: string[], env: Record<string, string> = {}) {
  await using upstream = serveHttp(() => new Response("from here"));
  await using kurun = await KurunProcess.start(["port-forward", upstream.url, "-n", namespace.name, ...flags], env).ready();
  assert.equal(await (await fetch(`http://${await namespace.address()}/`)).text(), "from here");
  const found = await brought(namespace);
  kurun.signal("SIGINT");
  assert.equal(await kurun.exit, 0);
  assert.deepEqual(await namespace.left(), []);
  return found;
}

clusterTest("without a flag, port-forward and run work on a node that has only Deno's own image", async (namespace) => {
  const { images, configMaps } = await forwardOnce(namespace, []);
  assert.deepEqual(images, ["docker.io/denoland/deno:distroless-2.9.6"]);
  const [server, ...others] = configMaps;
  assert.equal(others.length, 0);
  assert.match(server!.metadata.name, /^kurun-kurun-\w{5}$/);
  assert.deepEqual([server!.immutable, server!.metadata.ownerReferences?.length], [true, 1]);
  const { code, stdout, stderr } = await KurunProcess.run(["run", "-n", namespace.name, HELLO]);
  assert.deepEqual([code, stderr], [0, ""]);
  assert.match(stdout, /^Hello, world, from hello-\w{5}\n$/);
  assert.deepEqual(await namespace.left(), []);
});

for (const layout of ["distroless", "debian", "alpine"] as const) {
  clusterTest(`the server runs in Deno's image for ${layout}, and is copied from it for run --image`, async (namespace) => {
    const image = ["--server-image", denoImage(layout)];
    assert.deepEqual((await forwardOnce(namespace, image)).images, [denoImage(layout)]);
    for (const base of [[], ["--image", "kurun.test/toolbox:1"]]) {
      const { code, stdout, stderr } = await KurunProcess.run(["run", "-n", namespace.name, ...image, ...base, HELLO]);
      assert.deepEqual([code, stderr], [0, ""]);
      assert.match(stdout, /^Hello, world, from hello-\w{5}\n$/);
    }
  });
}

clusterTest(
  "an image of kurun's own needs no ConfigMap, under another name it gets one, and the flag wins over the variable",
  async (namespace) => {
    const variable = { KURUN_SERVER_IMAGE: OWN };
    assert.deepEqual(await forwardOnce(namespace, [], variable), { images: [OWN], configMaps: [] });
    const renamed = "kurun.test/renamed:1";
    const tag = await new Deno.Command("ctr", { args: ["images", "tag", "--force", OWN, renamed] }).output();
    assert.ok(tag.success, new TextDecoder().decode(tag.stderr));
    const { images, configMaps } = await forwardOnce(namespace, ["--server-image", renamed], variable);
    assert.deepEqual([images, configMaps.length], [[renamed], 1]);
    for (const base of [[], ["--image", "kurun.test/toolbox:1"]]) {
      const { code, stdout, stderr } = await KurunProcess.run(["run", "-n", namespace.name, ...base, HELLO], variable);
      assert.deepEqual([code, stderr], [0, ""]);
      assert.match(stdout, /^Hello, world, from hello-\w{5}\n$/);
    }
  },
);

clusterTest("a client with the same server resumes a killed one's session, one with another server replaces it", async (namespace) => {
  const cache = await Deno.makeTempDir();
  await using upstream = serveHttp(() => new Response("from here"));
  // kurun's cache is a new one, and Deno's own cache stays.
  const caches = Deno.env.get("XDG_CACHE_HOME") || `${Deno.env.get("HOME")}/.cache`;
  const env = { XDG_CACHE_HOME: cache, DENO_DIR: Deno.env.get("DENO_DIR") || `${caches}/deno` };
  const start = () => KurunProcess.start(["port-forward", upstream.url, "-n", namespace.name], env).ready();
  const kill = async (kurun: KurunProcess) => {
    kurun.signal("SIGKILL");
    await kurun.exit;
  };
  await kill(await start());
  const resumed = await start();
  assert.match(resumed.stderr, /^Resumed your session /m);
  await kill(resumed);
  // As after an update of kurun: the bundle that is kept for its source is another one.
  const [bundle] = await Array.fromAsync(Deno.readDir(`${cache}/kurun/server`));
  const path = `${cache}/kurun/server/${bundle!.name}`;
  await Deno.writeTextFile(path, `// another version\n${await Deno.readTextFile(path)}`);
  await using replacing = await start();
  assert.match(replacing.stderr, /^Replacing your earlier session at Service kurun \(.*\): .*another version of kurun created it$/m);
  assert.equal(await (await fetch(`http://${await namespace.address()}/`)).text(), "from here");
  const { configMaps } = await brought(namespace);
  assert.deepEqual(configMaps.map(({ data }) => data["server.js"].split("\n")[0]), ["// another version"]);
  await Deno.remove(cache, { recursive: true });
});

clusterTest("a session ends with a message if its ConfigMap is deleted, because the next Pod could not start", async (namespace) => {
  await using upstream = serveHttp(() => new Response("from here"));
  await using kurun = await KurunProcess.start(["port-forward", upstream.url, "-n", namespace.name]).ready();
  const { configMaps: [server] } = await brought(namespace);
  await kubectl(["delete", "configmap", server!.metadata.name, "-n", namespace.name]);
  assert.equal(await kurun.exit, 4);
  assert.match(kurun.stderr, /^error: ConfigMap kurun-kurun-\w{5} was deleted\. The session cannot continue after that/m);
  assert.deepEqual(await namespace.left(), []);
});

clusterTest(
  "a webhook that refuses ConfigMaps does not keep a session from starting, and it is resumed with and without it",
  async (namespace) => {
    await kubectl(["create", "-f", "-"], JSON.stringify(unansweredWebhook(namespace)));
    await using upstream = serveHttp(() => new Response("from here"));
    const start = () => KurunProcess.start(["port-forward", upstream.url, "-n", namespace.name]).ready();
    const kill = async (kurun: KurunProcess) => {
      kurun.signal("SIGKILL");
      await kurun.exit;
    };
    try {
      await kill(await start());
      assert.deepEqual((await brought(namespace)).configMaps, []);
      const resumed = await start();
      assert.match(resumed.stderr, /^Resumed your session /m);
      const { code, stdout } = await KurunProcess.run(["run", "-n", namespace.name, HELLO]);
      assert.deepEqual([code, stdout.slice(0, 13)], [0, "Hello, world,"]);
      await kill(resumed);
    } finally {
      await kubectl(["delete", "validatingwebhookconfiguration", namespace.name]);
    }
    await using again = await start();
    assert.match(again.stderr, /^Resumed your session /m);
    assert.equal(await (await fetch(`http://${await namespace.address()}/`)).text(), "from here");
  },
);

/** A webhook for all ConfigMaps of the namespace, with nobody behind it. */
function unansweredWebhook({ name }: TestNamespace): unknown {
  return {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: "ValidatingWebhookConfiguration",
    metadata: { name },
    webhooks: [{
      name: "configmaps.kurun.test",
      clientConfig: { service: { namespace: name, name: "nosuch" } },
      rules: [{ operations: ["CREATE"], apiGroups: [""], apiVersions: ["v1"], resources: ["configmaps"] }],
      namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": name } },
      failurePolicy: "Fail",
      sideEffects: "None",
      admissionReviewVersions: ["v1"],
    }],
  };
}
