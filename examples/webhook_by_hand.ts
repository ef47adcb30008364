/**
 * `deno task demo:by-hand`: an admission webhook set up step by step with `kurun port-forward`, where you may not change webhook
 * configurations, or somebody else does. Shows each command and its output.
 *
 * @module
 */
import { VERSION } from "../cli/command/version.ts";
import { serverImageReference } from "../k8s/images/server_image_name.ts";
import { certificateAuthority } from "../tests/certificate_authority.ts";
import { ensureUp } from "../tests/cluster/cluster.ts";
import { background, quietly, ROOT, run, runExample, say, shown, step } from "./shown_commands.ts";

const IMAGE = "build/kurun-server-demo.tar";
const IMAGE_COMMAND: readonly [string, ...string[]] = [Deno.execPath(), "run", "-A", "main.ts", "image", "--output", IMAGE];
const WEBHOOK = "kurun-webhook";

async function walkThrough(): Promise<void> {
  step("A Kubernetes cluster on this machine (deno task cluster down removes it)");
  // Downloading and packing the image takes a while, and needs little of the processor that builds the cluster.
  const image = quietly(IMAGE_COMMAND);
  const cluster = await ensureUp({ forTests: false });
  const kubectl = (args: string[], input?: string) => run(["kubectl", ...args], { cluster, ...(input === undefined ? {} : { input }) });

  step("kurun's own image, built without Docker and loaded into the node, because this node cannot pull images");
  say(shown(IMAGE_COMMAND));
  await image;
  if (!cluster.foreign) say(`loaded ${(await cluster.load(`${ROOT}${IMAGE}`)).join(", ")}`);

  step("A certificate for the webhook, in a Secret and in two files (cert-manager can issue one too)");
  const folder = await Deno.makeTempDir({ prefix: "kurun-demo-" });
  try {
    const ca = await certificateAuthority({ commonName: "kurun-ca", days: 1, now: new Date() });
    const { certPem, keyPem } = await ca.issue({ names: ["localhost", "kurun.default", "kurun.default.svc"], days: 1, now: new Date() });
    const [certFile, keyFile] = [`${folder}/tls.crt`, `${folder}/tls.key`];
    await Deno.writeTextFile(certFile, certPem);
    await Deno.writeTextFile(keyFile, keyPem, { mode: 0o600 });
    await kubectl(["create", "secret", "tls", "kurun-secret", `--cert=${certFile}`, `--key=${keyFile}`]);

    step("The webhook, a program on this machine");
    await using webhook = background(
      [Deno.execPath(), "run", "-A", "examples/annotate/server.ts", "--tls-cert-file", certFile, "--tls-key-file", keyFile]
        .concat(["--rules-file", "examples/annotate/rules.yaml"]) as [string, ...string[]],
    );
    await webhook.says("Listening");

    step("kurun port-forward: a Service in the cluster that leads to it");
    const image = cluster.foreign ? [] : ["--server-image", serverImageReference(VERSION)];
    const forward = ["port-forward", "https://localhost:8080", "--tlssecret", "kurun-secret", ...image, "-n", "default", "-v"];
    await using kurun = background([Deno.execPath(), "run", "-A", "main.ts", ...forward], { KUBECONFIG: cluster.kubeconfig });
    await kurun.says("Forwarding");

    step("Tell the API server to call the webhook for new Services");
    await kubectl(["apply", "-f", "-"], webhookConfiguration(ca.certPem));

    step("Create a Service, and see what the webhook added");
    await kubectl(["apply", "-f", "-"], SERVICE);
    await kubectl(["describe", "service", "my-service"]);

    step("Delete the webhook configuration first: with nobody behind it, it would block every new Service");
    await kubectl(["delete", "mutatingwebhookconfiguration", WEBHOOK]);

    step("Ctrl+C removes everything that kurun created");
    await kurun.interrupt();
    await kubectl(["get", "jobs,deployments,services,secrets,configmaps", "-n", "default", "-l", "app.kubernetes.io/managed-by=kurun"]);
  } finally {
    await Deno.remove(folder, { recursive: true });
    step("Remove the demo's own objects");
    await kubectl(["delete", "--ignore-not-found", `mutatingwebhookconfiguration/${WEBHOOK}`]);
    await kubectl(["delete", "--ignore-not-found", "-n", "default", "service/my-service", "secret/kurun-secret"]);
  }
}

function webhookConfiguration(caPem: string): string {
  return `apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
metadata:
  name: ${WEBHOOK}
webhooks:
  - name: kurun-webhook.banzaicloud.com
    clientConfig:
      caBundle: ${btoa(caPem)}
      service:
        name: kurun
        namespace: default
        path: "/mutate-secrets"
        port: 80
    rules:
      - operations: [ "CREATE" ]
        apiGroups: [""]
        apiVersions: ["v1"]
        resources: ["services"]
        scope: "*"
    admissionReviewVersions: ["v1"]
    sideEffects: None
`;
}

const SERVICE = `apiVersion: v1
kind: Service
metadata:
  name: my-service
  namespace: default
  labels:
    app: my-service
spec:
  clusterIP: None
`;

if (import.meta.main) await runExample(walkThrough);
