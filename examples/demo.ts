/**
 * kurun on a real Kubernetes, from nothing: `deno task demo`. Shows each command and what it prints.
 *
 * @module
 */
import { type Cluster, ClusterError, ClusterUnavailableError, ensureUp, TOOLBOX_IMAGE } from "../tests/cluster/cluster.ts";

const ROOT = new URL("../", import.meta.url).pathname;
const IMAGE = "build/kurun-server-demo.tar";

async function demo(): Promise<void> {
  step("A Kubernetes cluster on this machine (deno task cluster down removes it)");
  const cluster = await ensureUp();

  step("The image of kurun's Pod, made without Docker and brought to the node");
  await run([Deno.execPath(), "run", "-A", "main.ts", "image", "--output", IMAGE]);
  say(`loaded ${(await cluster.load(`${ROOT}${IMAGE}`)).join(", ")}`);

  step("A program on this machine");
  await using _program = background([Deno.execPath(), "run", "--allow-net", "examples/hello/server.ts"]);

  step("kurun port-forward: a Service in the cluster reaches it");
  await using kurun = background([Deno.execPath(), "run", "-A", "main.ts", "port-forward", "http://localhost:8080"], cluster);
  await kurun.says("Forwarding");

  step("A Pod asks the Service by its name");
  await run(["kubectl", ...POD, "--", "http", "http://kurun.default.svc/from/a/pod"], cluster);

  step("What kurun has made in the cluster");
  await run(["kubectl", "get", "job,deployment,pod,service,secret", "-l", "app.kubernetes.io/managed-by=kurun"], cluster);

  step("Ctrl+C, and nothing is left");
  await kurun.interrupt();
  await run(["kubectl", "get", "job,deployment,service,secret", "-l", "app.kubernetes.io/managed-by=kurun"], cluster);
}

/** A Pod that runs one command and goes. */
const POD = ["run", "caller", "--rm", "--attach", "--quiet", "--restart=Never", `--image=${TOOLBOX_IMAGE}`, "--image-pull-policy=Never"];

interface Background extends AsyncDisposable {
  says(word: string): Promise<void>;
  interrupt(): Promise<void>;
}

/** Starts a command whose output is shown as it comes. */
function background(argv: [string, ...string[]], cluster?: Cluster): Background {
  const child = command(argv, cluster, "piped").spawn();
  let said = "";
  const shown = (async () => {
    for await (const bytes of child.stdout) {
      Deno.stdout.writeSync(bytes);
      said += new TextDecoder().decode(bytes);
    }
  })();
  let ended = false;
  const status = child.status.then(() => ended = true);
  const interrupt = async () => {
    if (!ended) child.kill("SIGINT");
    await Promise.all([status, shown]);
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

async function run(argv: [string, ...string[]], cluster?: Cluster): Promise<void> {
  const { code } = await command(argv, cluster, "inherit").output();
  if (code !== 0) throw new ClusterError(`${argv.join(" ")} ended with exit code ${code}`);
}

function command(argv: [string, ...string[]], cluster: Cluster | undefined, stdout: "piped" | "inherit"): Deno.Command {
  say(`$ ${argv.join(" ").replace(Deno.execPath(), "deno")}`);
  const options = { cwd: ROOT, stdin: "null", stdout, stderr: "inherit" } as const;
  const [program, ...args] = argv;
  return cluster ? cluster.exec(argv, options) : new Deno.Command(program, { ...options, args });
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
    say(`The demo needs a cluster: ${error.message}`);
    Deno.exit(1);
  }
}
