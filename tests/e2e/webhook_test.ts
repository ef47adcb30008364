import assert from "node:assert/strict";
import { type CertificateAuthority, certificateAuthority } from "../../k8s/certificate.ts";
import { KurunProcess } from "./kurun_process.ts";
import { clusterTest, kubectl, type TestNamespace } from "./kubernetes.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

/** The example webhook of this project, on this machine, with a certificate for a Service; and that certificate in the cluster. */
class Webhook implements AsyncDisposable {
  private constructor(
    readonly url: string,
    readonly ca: CertificateAuthority,
    readonly child: Deno.ChildProcess,
    readonly folder: string,
  ) {}

  static async start(namespace: TestNamespace, service: string): Promise<Webhook> {
    const folder = await Deno.makeTempDir({ prefix: "kurun-webhook-" });
    const ca = await certificateAuthority({ commonName: "test", days: 1, now: new Date() });
    const names = ["localhost", `${service}.${namespace.name}.svc`];
    const { certPem, keyPem } = await ca.issue({ names, days: 1, now: new Date() });
    await Deno.writeTextFile(`${folder}/tls.crt`, certPem);
    await Deno.writeTextFile(`${folder}/tls.key`, keyPem);
    await kubectl(["create", "secret", "tls", "hook-tls", "-n", namespace.name, `--cert=${folder}/tls.crt`, `--key=${folder}/tls.key`]);
    const port = freePort();
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "examples/annotate/server.ts", `--port=${port}`, "--tls-cert-file", `${folder}/tls.crt`]
        .concat(["--tls-key-file", `${folder}/tls.key`, "--rules-file", "examples/annotate/rules.yaml"]),
      cwd: ROOT,
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    while (!await Deno.connect({ port }).then((connection) => (connection.close(), true), () => false)) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return new Webhook(`https://localhost:${port}`, ca, child, folder);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill("SIGKILL");
    await this.child.status;
    await Deno.remove(this.folder, { recursive: true });
  }
}

function freePort(): number {
  using listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  return listener.addr.port;
}

/** A webhook configuration of failurePolicy Fail for the ConfigMaps of one namespace, which asks a Service; removed at the end. */
async function configure(namespace: TestNamespace, { service, port }: { service: string; port: number }, ca: CertificateAuthority) {
  const configuration = {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: "MutatingWebhookConfiguration",
    metadata: { name: namespace.name },
    webhooks: [{
      name: `annotate-${port}.kurun.test`,
      clientConfig: { caBundle: btoa(ca.certPem), service: { name: service, namespace: namespace.name, port, path: "/mutate" } },
      rules: [{ operations: ["CREATE"], apiGroups: [""], apiVersions: ["v1"], resources: ["configmaps"] }],
      namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": namespace.name } },
      failurePolicy: "Fail",
      sideEffects: "None",
      admissionReviewVersions: ["v1"],
    }],
  };
  await kubectl(["create", "-f", "-"], JSON.stringify(configuration));
  return { [Symbol.asyncDispose]: () => kubectl(["delete", "mutatingwebhookconfiguration", namespace.name]).then(() => {}) };
}

/** What a new ConfigMap's annotations are, once the webhook was asked. */
async function annotationsOfNew(namespace: TestNamespace, name: string): Promise<Record<string, string>> {
  const configMap = { apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace: namespace.name } };
  return JSON.parse(await kubectl(["create", "-f", "-", "-o", "json"], JSON.stringify(configMap))).metadata.annotations;
}

clusterTest(
  "a webhook here is asked through a Service that has no Pods, at three ports, and without kurun creates fail with its sentence",
  async (namespace) => {
    const service = {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "hook", namespace: namespace.name },
      spec: {
        selector: { app: "hook" },
        ports: [
          { name: "https", port: 443, targetPort: "https" },
          { name: "low", port: 8443, targetPort: 443 },
          { name: "high", port: 9443, targetPort: 9443 },
        ],
      },
    };
    await kubectl(["create", "-f", "-"], JSON.stringify(service));
    const read = () => kubectl(["get", "service", "hook", "-n", namespace.name, "-o", "json", "--show-managed-fields"]);
    const before = await read();
    await using webhook = await Webhook.start(namespace, "hook");
    const args = ["port-forward", webhook.url, "-n", namespace.name, "--servicename", "hook", "--tlssecret", "hook-tls", "--hold", "1s"];
    await using kurun = await KurunProcess.start([...args, "--ttl", "30s"]).ready();
    for (const port of [443, 8443, 9443]) {
      await using _configuration = await configure(namespace, { service: "hook", port }, webhook.ca);
      assert.equal((await annotationsOfNew(namespace, `asked-at-${port}`))["always-annotate-this"], "true");
    }
    await using _configuration = await configure(namespace, { service: "hook", port: 443 }, webhook.ca);
    kurun.signal("SIGKILL");
    await kurun.exit;
    const started = performance.now();
    await assert.rejects(annotationsOfNew(namespace, "unanswered"), /kurun: nobody is connected|EOF|may have been delivered/);
    assert.ok(performance.now() - started < 3_000, `${performance.now() - started} ms`);
    await assert.rejects(annotationsOfNew(namespace, "unanswered"), /kurun: nobody is connected to session/);
    await using again = await KurunProcess.start(args).ready();
    assert.equal((await annotationsOfNew(namespace, "asked-again"))["always-annotate-this"], "true");
    again.signal("SIGINT");
    assert.equal(await again.exit, 0);
    assert.equal(await read(), before);
  },
);
