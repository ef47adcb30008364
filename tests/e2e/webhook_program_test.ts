import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { clusterTest, kubectl } from "./kubernetes.ts";
import { KurunProcess } from "./kurun_process.ts";
import { TmuxTerminal } from "./tmux_terminal.ts";

const PROGRAM = new URL("../bench/webhook_program.ts", import.meta.url).pathname;

const names = (folder: string) => [...Deno.readDirSync(folder)].map(({ name }) => name).sort();

clusterTest(
  "kurun webhook starts a command with certificates, interrupts it after Ctrl+C when the cluster no longer asks it, and puts files back",
  async (namespace) => {
    const folder = await Deno.makeTempDir();
    const certs = `${folder}/certs`;
    const free = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = free.addr;
    free.close();
    await Deno.mkdir(certs);
    await Deno.writeTextFile(`${certs}/tls.key`, "the developer's own key", { mode: 0o640 });
    const hook = {
      apiVersion: "admissionregistration.k8s.io/v1",
      kind: "ValidatingWebhookConfiguration",
      metadata: { name: `${namespace.name}-hooks` },
      webhooks: [{
        name: "configmaps.kurun.test",
        clientConfig: { service: { name: "no-such-service", namespace: namespace.name, path: "/allow" } },
        rules: [{ operations: ["CREATE"], apiGroups: [""], apiVersions: ["v1"], resources: ["configmaps"] }],
        sideEffects: "None",
        admissionReviewVersions: ["v1"],
      }],
    };
    await Deno.writeTextFile(`${folder}/hooks.json`, JSON.stringify(hook));
    const only = `namespace=${namespace.name}`;
    const ask = `kubectl create configmap late -n ${namespace.name} 2>&1`;
    // The shell asks the cluster once more when it is interrupted, and waits for the program that it has started.
    const script =
      `trap 'echo "interrupted, $(${ask})"; exit 7' INT; ${Deno.execPath()} run -A ${PROGRAM} ${port} ${certs}/tls.crt ${certs}/tls.key & wait`;
    const args = ["webhook", `${port}`, "-f", `${folder}/hooks.json`, "-n", namespace.name, "--only", only, "--cert-dir", certs];
    try {
      const failed = await KurunProcess.run([...args, "--", "sh", "-c", "exit 3"]);
      assert.equal(failed.code, 3, failed.stderr);
      assert.deepEqual(names(certs), ["tls.key"]);
      await using terminal = await TmuxTerminal.start([...args, "--", "sh", "-c", script], { columns: 250 });
      await terminal.waitFor(/^If kurun loses its connection, /m);
      assert.match(await terminal.screen(), new RegExp(`https://localhost:${port} has this session's certificate, which kurun verifies`));
      const files = await Promise.all(["tls.crt", "tls.key"].map((name) => Deno.readTextFile(`${certs}/${name}`)));
      assert.match(new X509Certificate(files[0]!).subjectAltName ?? "", new RegExp(`DNS:kurun-webhook-[a-z-]+\\.${namespace.name}\\.svc,`));
      assert.match(files[1]!, /PRIVATE KEY/);
      const create = new Deno.Command("kubectl", { args: ["create", "configmap", "mine", "-n", namespace.name] });
      assert.match(new TextDecoder().decode((await create.output()).stderr), /^Warning: asked at \/allow$/m);
      await terminal.type("C-c");
      const screen = await terminal.waitFor(/^exit \d+$/m);
      assert.match(screen, /^(\^C)?interrupted, configmap\/late created$/m);
      assert.match(screen, /^exit 7$/m);
      assert.deepEqual(names(certs), ["tls.key"]);
      assert.equal(await Deno.readTextFile(`${certs}/tls.key`), "the developer's own key");
      const named = await kubectl(["get", "validatingwebhookconfigurations", "-o", "name", "-l", "app.kubernetes.io/managed-by=kurun"]);
      assert.doesNotMatch(named, new RegExp(namespace.name));
      assert.deepEqual(await namespace.leftOfKurun(), []);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
);
