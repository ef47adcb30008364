import assert from "node:assert/strict";
import { parseAllDocuments, stringify } from "yaml";
import { bundleServer } from "../../k8s/images/server_bundle.ts";
import { serverImageReference } from "../../k8s/images/server_image_name.ts";
import { VERSION } from "../../cli/command/version.ts";
import { clusterTest, kubectl, type TestNamespace } from "./kubernetes.ts";

/** The most that a ConfigMap may hold, in bytes (Kubernetes "ConfigMaps": Motivation). */
const CONFIG_MAP_BYTES = 1024 * 1024;
/** From SIGTERM to SIGKILL, and the time in which the cluster collects what the Job owned. */
const CLEAN_UP_MS = 30_000;

clusterTest(
  "in a Pod kurun uses its ServiceAccount, forwards to another container of the Pod, and cleans up when the Pod is deleted",
  async (namespace) => {
    const { name } = namespace;
    await giveRole(namespace);
    await putProgram(namespace);
    await kubectl(["create", "-n", name, "-f", "-"], JSON.stringify(POD));
    try {
      // kurun writes a line at a time, so the log may end after any of them.
      await until(async () => {
        const said = await kubectl(["logs", "laptop", "-c", "kurun", "-n", name]).catch((error: Error) => error.message);
        assert.match(
          said,
          new RegExp(`^Forwarding http://kurun\\.${name}\\.svc:80 -> http://localhost:8080\nIf kurun loses its connection, [^\n]*\n$`),
        );
      }, 60_000);

      const answer = await fetch(`http://${await namespace.address()}/from-a-caller`);
      assert.match(await answer.text(), /\/from-a-caller/);
      assert.equal(answer.status, 200);

      const [session] = JSON.parse(await kubectl(["get", "jobs", "-n", name, "-o", "json"])).items;
      assert.equal(session.metadata.annotations["kurun.dev/from"], "laptop");
      assert.equal(session.spec.activeDeadlineSeconds, undefined, "with --ttl 0 nothing but kurun itself removes its session");
    } catch (error) {
      throw new Error(await kubectl(["describe", "pods", "-n", name]), { cause: error });
    }

    await kubectl(["delete", "pod/laptop", "configmap/kurun-program", "-n", name, "--wait=false"]);
    await until(async () => assert.deepEqual(await namespace.left(), []), CLEAN_UP_MS);
  },
);

const DENO = "/usr/bin/deno";
const SECURITY = { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ["ALL"] } };
const UNPACK = `const packed = await Deno.open("/packed/kurun.js.gz");
const program = await Deno.open("/kurun-cli/kurun.js", { write: true, create: true });
await packed.readable.pipeThrough(new DecompressionStream("gzip")).pipeTo(program.writable);`;

/** A Pod that `restricted` admits: kurun's bundle under the Deno of the server's image, and a program that echoes. */
const POD = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "laptop" },
  spec: {
    serviceAccountName: "kurun",
    securityContext: { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } },
    volumes: [{ name: "packed", configMap: { name: "kurun-program" } }, { name: "kurun", emptyDir: {} }],
    initContainers: [{
      name: "unpack",
      image: serverImageReference(VERSION),
      command: [DENO, "eval", UNPACK],
      volumeMounts: [{ name: "packed", mountPath: "/packed" }, { name: "kurun", mountPath: "/kurun-cli" }],
      securityContext: SECURITY,
    }],
    containers: [{
      name: "kurun",
      image: serverImageReference(VERSION),
      command: [DENO, "run", "-A", "--no-config", "--no-lock", "--no-remote", "--no-npm", "--no-code-cache"],
      args: ["/kurun-cli/kurun.js", "port-forward", "http://localhost:8080", "--ttl", "0", "--server-image", serverImageReference(VERSION)],
      volumeMounts: [{ name: "kurun", mountPath: "/kurun-cli", readOnly: true }],
      securityContext: SECURITY,
    }, {
      name: "program",
      image: "kurun.test/toolbox:1",
      args: ["serve", ":8080"],
      securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
    }],
  },
};

/** docs/rbac-port-forward.yaml unchanged, for the ServiceAccount that it names. */
async function giveRole({ name }: TestNamespace): Promise<void> {
  await kubectl(["create", "serviceaccount", "kurun", "-n", name]);
  const text = await Deno.readTextFile(new URL("../../docs/rbac-port-forward.yaml", import.meta.url));
  await kubectl(["create", "-n", name, "-f", "-"], parseAllDocuments(text).map((document) => stringify(document.toJS())).join("---\n"));
}

/** Puts kurun, as one file, where the Pod can mount it. */
async function putProgram({ name }: TestNamespace): Promise<void> {
  const program = new Blob([await bundleServer(new URL("../../main.ts", import.meta.url)) as Uint8Array<ArrayBuffer>]);
  const packed = await new Response(program.stream().pipeThrough(new CompressionStream("gzip"))).bytes();
  assert.ok(packed.length < CONFIG_MAP_BYTES, `kurun's bundle has ${packed.length} bytes packed, too many for a ConfigMap`);
  const configMap = {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "kurun-program" },
    binaryData: { "kurun.js.gz": packed.toBase64() },
  };
  await kubectl(["create", "-n", name, "-f", "-"], JSON.stringify(configMap));
}

/** Tries until it does not throw. @throws what it threw last */
async function until<T>(attempt: () => Promise<T>, ms: number): Promise<T> {
  const end = performance.now() + ms;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (performance.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
}
