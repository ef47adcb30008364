/**
 * The fault suite: what callers see while something breaks under a session, on the test cluster.
 *
 *     deno task test:faults                            # each fault once, in under eight minutes
 *     deno task test:faults --only "kill -9"           # those whose name contains these words (tests/faults/all_faults.ts)
 *     deno task test:faults --transport pod            # through the kubelet
 *     deno task test:faults --repeat 20 --write        # each twenty times, and into docs/reliability.md
 *
 * @module
 */
import { type Cluster, ClusterUnavailableError, ensureUp } from "./cluster/cluster.ts";
import { findProgram } from "./cluster/commands.ts";
import { installPackages } from "./cluster/packages.ts";
import { progressOnStderr } from "./cluster/progress.ts";
import { faultFlags } from "./faults/flags.ts";
import { loadPodImages } from "./pod_images.ts";

const ROOT = new URL("../", import.meta.url).pathname;

/** @throws {ClusterUnavailableError} unless the cluster is our own, because the faults break it */
function checkOwn(cluster: Cluster): void {
  if (cluster.foreign) {
    throw new ClusterUnavailableError("the faults break the cluster, so they do not run on the one that KURUN_TEST_KUBECONFIG names");
  }
}

/** The command that runs the faults inside a cluster whose node has the server's image. */
export async function faultsInside(
  cluster: Cluster,
  args: readonly string[],
  options: Omit<Deno.CommandOptions, "args">,
): Promise<Deno.Command> {
  checkOwn(cluster);
  if (!await findProgram("faketime")) await installPackages(["faketime"], progressOnStderr());
  return cluster.exec([Deno.execPath(), "run", "-A", "tests/faults/inside.ts", ...args], { cwd: ROOT, ...options });
}

if (import.meta.main) {
  try {
    faultFlags(Deno.args);
    const cluster = await ensureUp();
    checkOwn(cluster);
    await loadPodImages(cluster);
    const child = (await faultsInside(cluster, Deno.args, { stdout: "inherit", stderr: "inherit" })).spawn();
    Deno.exit((await child.status).code);
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof ClusterUnavailableError)) throw error;
    Deno.stderr.writeSync(new TextEncoder().encode(`${error.message}\n`));
    Deno.exit(2);
  }
}
