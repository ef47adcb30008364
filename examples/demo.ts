/**
 * `deno task demo`: an admission webhook that runs here, called by the API server of a real Kubernetes. Shows each command and its output.
 *
 * @module
 */
import { VERSION } from "../cli/command/version.ts";
import { serverImageReference } from "../k8s/images/server_image_name.ts";
import { ensureUp } from "../tests/cluster/cluster.ts";
import { background, quietly, ROOT, run, runExample, say, shown, step } from "./shown_commands.ts";

const IMAGE = "build/kurun-server-demo.tar";
const DENO = Deno.execPath();
const IMAGE_COMMAND: readonly [string, ...string[]] = [DENO, "run", "-A", "main.ts", "image", "--output", IMAGE];

async function demo(): Promise<void> {
  step("A Kubernetes cluster on this machine (deno task cluster down removes it)");
  // Downloading and packing the image takes a while, and needs little of the processor that builds the cluster.
  const image = quietly(IMAGE_COMMAND);
  const cluster = await ensureUp({ forTests: false });
  const kubectl = (...args: string[]) => run(["kubectl", ...args], { cluster });

  step("kurun's own image, built without Docker and loaded into the node, because this node cannot pull images");
  say(shown(IMAGE_COMMAND));
  await image;
  if (!cluster.foreign) say(`loaded ${(await cluster.load(`${ROOT}${IMAGE}`)).join(", ")}`);

  try {
    step("kurun webhook: starts a program here, and lets the API server call it for the webhooks in a file");
    const flags = ["-f", "examples/annotate/webhook.yaml", "--only", "namespace=default", "-n", "default", "-v"];
    if (!cluster.foreign) flags.push("--server-image", serverImageReference(VERSION));
    const program = [DENO, "run", "-A", "examples/annotate/server.ts"];
    await using kurun = background(
      [DENO, "run", "-A", "main.ts", "webhook", "http://localhost:8080", ...flags, "--", ...program],
      { KUBECONFIG: cluster.kubeconfig },
    );
    await kurun.says("annotate.kurun.example");

    step("Create a Service, and see what the program added");
    await kubectl("create", "service", "clusterip", "my-service", "--tcp=80", "-n", "default");
    await kubectl("get", "service", "my-service", "-n", "default", "-o", "jsonpath={.metadata.annotations}{'\\n'}");

    step("Ctrl+C ends the program and removes everything that kurun created");
    await kurun.interrupt();
    await kubectl("get", "mutatingwebhookconfigurations");
    await kubectl("get", "jobs,deployments,services,secrets,configmaps", "-n", "default", "-l", "app.kubernetes.io/managed-by=kurun");
  } finally {
    step("Remove the demo's own object");
    await kubectl("delete", "--ignore-not-found", "-n", "default", "service/my-service");
  }
}

if (import.meta.main) await runExample(demo);
