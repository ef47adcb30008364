/** A test's webhook: the example's program on this machine, and the configuration that makes the API server call it. */
import { type CertificateAuthority, certificateAuthority } from "../certificate_authority.ts";
import { kubectl, type TestNamespace } from "./kubernetes.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

/** Starts the example webhook on this machine with a certificate for a Service, and stores that certificate in the cluster. */
export class Webhook implements AsyncDisposable {
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

/** A webhook configuration with failurePolicy Fail for the ConfigMaps of one namespace. Removed at the end. */
export async function configure(
  namespace: TestNamespace,
  { service, port }: { service: string; port: number },
  ca: CertificateAuthority,
  timeoutSeconds = 10,
): Promise<AsyncDisposable> {
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
      timeoutSeconds,
      sideEffects: "None",
      admissionReviewVersions: ["v1"],
    }],
  };
  await kubectl(["create", "-f", "-"], JSON.stringify(configuration));
  return { [Symbol.asyncDispose]: () => kubectl(["delete", "mutatingwebhookconfiguration", namespace.name]).then(() => {}) };
}
