/**
 * `deno task cluster`: the test cluster from the command line.
 *
 * @module
 */
import { type Cluster, ClusterError, ensureUp, foreignKubeconfig } from "./cluster.ts";
import { answeringVersion, foreignCluster } from "./foreign_cluster.ts";
import { nodeState } from "./node.ts";
import { ownCluster, takeOwnDown } from "./own_cluster.ts";
import { paths } from "./paths.ts";
import { type Progress, progressOnStderr } from "./progress.ts";

const USAGE = `Usage: deno task cluster COMMAND

  up              creates a one-node Kubernetes on this machine, unless it is up
  down            removes it; the programs built for it are kept
  status          shows its state; exit code 1 if it is not up
  env             prints the line that points kubectl and kurun to it: eval "$(deno task --quiet cluster env)"
  load FILE.tar   loads an image archive into the node
  exec -- CMD…    runs a command inside, where Services and Pods can be reached

With KURUN_TEST_KUBECONFIG=FILE the cluster of FILE is used instead.
`;

const encoder = new TextEncoder();
const out = (text: string) => Deno.stdout.writeSync(encoder.encode(text));

/** Runs one command. @returns the exit code */
async function main(args: readonly string[], progress: Progress): Promise<number> {
  const [command, ...rest] = args;
  switch (command) {
    case "up":
      return await up(progress);
    case "down":
      return await down(progress);
    case "status":
      return await status(progress);
    case "env":
      out(`export KUBECONFIG=${shellQuoted((await present()).kubeconfig)}\n`);
      return 0;
    case "load": {
      const [file] = rest;
      if (!file || rest.length > 1) break;
      const cluster = await present();
      const names = await progress.during(`loading ${file}`, () => cluster.load(file));
      out(names.map((name) => `${name}\n`).join(""));
      return 0;
    }
    case "exec": {
      const [program, ...more] = rest[0] === "--" ? rest.slice(1) : rest;
      if (!program) break;
      return await exec(await present(), [program, ...more]);
    }
  }
  progress.say(USAGE);
  return 2;
}

async function up(progress: Progress): Promise<number> {
  const began = performance.now();
  const cluster = await ensureUp({ progress });
  const took = `${((performance.now() - began) / 1000).toFixed(1)} s`;
  if (cluster.foreign) {
    progress.say(`the cluster of ${cluster.kubeconfig} answers, ${await answeringVersion(cluster.kubeconfig)}; ${took}`);
    return 0;
  }
  progress.say(`the cluster is up; ${took} in all`);
  progress.say(`  export KUBECONFIG=${shellQuoted(cluster.kubeconfig)}`);
  progress.say(`  kubectl is ${paths().node}/bin/kubectl`);
  return 0;
}

async function down(progress: Progress): Promise<number> {
  const kubeconfig = foreignKubeconfig();
  if (kubeconfig) progress.say(`the cluster of ${kubeconfig} is not ours; it is left alone`);
  else progress.say(await takeOwnDown(progress) ? "the cluster is gone" : "there is no cluster to take down");
  return 0;
}

async function status(progress: Progress): Promise<number> {
  const kubeconfig = foreignKubeconfig();
  if (kubeconfig) {
    out(`foreign\nversion     ${await answeringVersion(kubeconfig)}\nkubeconfig  ${kubeconfig}\n`);
    return 0;
  }
  const { node } = paths();
  const cluster = await ownCluster();
  if (!cluster) {
    const state = await nodeState(node);
    const what = state.runs
      ? `starting: ${state.step}`
      : state.failed
      ? `failed: ${state.failed}`
      : state.exists
      ? "broken; up repairs it"
      : "down";
    progress.say(what);
    return 1;
  }
  const kubectl = cluster.exec(["kubectl", "get", "node", "one", "--request-timeout=10s", "--no-headers"], {
    stdout: "piped",
    stderr: "piped",
  });
  const said = await kubectl.output();
  const text = new TextDecoder().decode(said.success ? said.stdout : said.stderr).trim();
  const ready = said.success && /^one\s+Ready\b/.test(text);
  out(`${ready ? "up" : "up, but the node is not Ready"}, since ${(await nodeState(node)).ready}\n`);
  out(`node        ${text.replaceAll(/\s+/g, " ")}\n`);
  out(`kubeconfig  ${cluster.kubeconfig}\nkubectl     ${node}/bin/kubectl\nlogs        ${node}/log\n`);
  await cluster.exec(["onenode", "list"]).spawn().status;
  return ready ? 0 : 1;
}

async function exec(cluster: Cluster, argv: [string, ...string[]]): Promise<number> {
  const child = cluster.exec(argv).spawn();
  // The terminal sends Ctrl+C to the command too, which decides whether to end.
  Deno.addSignalListener("SIGINT", () => {});
  for (const signal of ["SIGTERM", "SIGHUP"] as const) Deno.addSignalListener(signal, () => child.kill(signal));
  return (await child.status).code;
}

/** The cluster. @throws {ClusterError} if it is not up */
async function present(): Promise<Cluster> {
  const kubeconfig = foreignKubeconfig();
  if (kubeconfig) return await foreignCluster(kubeconfig);
  const cluster = await ownCluster();
  if (!cluster) throw new ClusterError("The cluster is not up. Try: deno task cluster up");
  return cluster;
}

/** Quotes text for `eval`. */
function shellQuoted(text: string): string {
  return /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

if (import.meta.main) {
  const progress = progressOnStderr();
  let code = 1;
  try {
    // deno task changes to the project's directory; file names are relative to the user's.
    const directory = Deno.env.get("INIT_CWD");
    if (directory) Deno.chdir(directory);
    code = await main(Deno.args, progress);
  } catch (error) {
    if (!(error instanceof ClusterError)) throw error;
    progress.say(error.message);
  }
  Deno.exit(code);
}
