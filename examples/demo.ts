/**
 * `deno task demo`: an admission webhook that runs here, called by the API server of a real Kubernetes. Shows each command and its output.
 *
 * @module
 */
import { VERSION } from "../cli/command/version.ts";
import { serverImageReference } from "../k8s/images/server_image_name.ts";
import { certificateAuthority } from "../tests/certificate_authority.ts";
import { type Cluster, ClusterError, ClusterUnavailableError, ensureUp } from "../tests/cluster/cluster.ts";

const ROOT = new URL("../", import.meta.url).pathname;
const IMAGE = "build/kurun-server-demo.tar";
const IMAGE_COMMAND: readonly [string, ...string[]] = [Deno.execPath(), "run", "-A", "main.ts", "image", "--output", IMAGE];
const WEBHOOK = "kurun-webhook";

async function demo(): Promise<void> {
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

interface Background extends AsyncDisposable {
  says(word: string): Promise<void>;
  interrupt(): Promise<void>;
}

/** Starts a command and shows its output as it comes. */
function background(argv: [string, ...string[]], env: Record<string, string> = {}): Background {
  say(shown(argv));
  const [program, ...args] = argv;
  const child = new Deno.Command(program, { args, cwd: ROOT, env, stdin: "null", stdout: "piped", stderr: "inherit" }).spawn();
  let said = "";
  const copied = (async () => {
    for await (const bytes of child.stdout) {
      Deno.stdout.writeSync(bytes);
      said += new TextDecoder().decode(bytes);
    }
  })();
  let ended = false;
  const status = child.status.then(() => ended = true);
  const interrupt = async () => {
    if (!ended) child.kill("SIGINT");
    await Promise.all([status, copied]);
  };
  return {
    says: async (word) => {
      while (!said.includes(word)) {
        if (ended) throw new ClusterError(`${argv.join(" ")} ended`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
    interrupt,
    [Symbol.asyncDispose]: interrupt,
  };
}

async function run(argv: [string, ...string[]], { cluster, input }: { cluster?: Cluster; input?: string } = {}): Promise<void> {
  say(shown(argv));
  if (input !== undefined) say(input.replaceAll(/^/gm, "  | ").replace(/caBundle: .{20}.*/, "caBundle: (the CA's certificate)"));
  const options = { cwd: ROOT, stdin: input === undefined ? "null" : "piped", stdout: "inherit", stderr: "inherit" } as const;
  const [program, ...args] = argv;
  const child = (cluster ? cluster.exec(argv, options) : new Deno.Command(program, { ...options, args })).spawn();
  if (input !== undefined) {
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(input));
    await writer.close();
  }
  const { code } = await child.status;
  if (code !== 0) throw new ClusterError(`${argv.join(" ")} ended with exit code ${code}`);
}

/** Runs a command without showing its output unless it fails. The result may be awaited later. */
function quietly([program, ...args]: readonly [string, ...string[]]): Promise<void> {
  const ended = new Deno.Command(program, { args, cwd: ROOT, stdin: "null" }).output();
  const result = ended.then(({ success, stdout, stderr }) => {
    if (!success) {
      throw new ClusterError(
        `${program} ${args.join(" ")} failed: ${[stdout, stderr].map((text) => new TextDecoder().decode(text)).join("")}`,
      );
    }
  });
  result.catch(() => {});
  return result;
}

function shown(argv: readonly string[]): string {
  return `$ ${argv.join(" ").replace(Deno.execPath(), "deno")}`;
}

function step(text: string): void {
  say(`\n== ${text}`);
}

function say(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
}

if (import.meta.main) {
  try {
    await demo();
  } catch (error) {
    if (!(error instanceof ClusterUnavailableError || error instanceof ClusterError)) throw error;
    say(`The demo failed: ${error.message}`);
    Deno.exit(1);
  }
}
