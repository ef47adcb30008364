/**
 * Random chaos: the tests on the cluster, while something is cut, killed or delayed every five seconds.
 *
 *     deno task test:chaos                              # 15 minutes, seed 1
 *     deno task test:chaos --seed 7 --minutes 60        # what happens depends on the seed alone
 *     deno task test:chaos --only tls --minutes 2       # files of tests/e2e whose name contains this
 *     deno task test:chaos --write                      # and into docs/reliability.md
 *
 * @module
 */
import { ClusterError, ClusterUnavailableError, foreignKubeconfig } from "./cluster/cluster.ts";
import { chaosFlags } from "./chaos/flags.ts";
import { preparedCluster } from "./prepared_cluster.ts";

const ROOT = new URL("../", import.meta.url).pathname;

if (import.meta.main) {
  try {
    chaosFlags(Deno.args);
    if (foreignKubeconfig()) {
      throw new ClusterUnavailableError("chaos breaks the cluster, so it does not run on that of KURUN_TEST_KUBECONFIG");
    }
    const cluster = await preparedCluster();
    const argv: [string, ...string[]] = [Deno.execPath(), "run", "-A", "tests/chaos/inside.ts", ...Deno.args];
    const child = cluster.exec(argv, {
      cwd: ROOT,
      env: { KURUN_TEST_PATIENCE_MS: "120000", KURUN_TEST_LIMIT_MS: "180000" },
      stdout: "inherit",
      stderr: "inherit",
    })
      .spawn();
    for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(signal, () => child.kill("SIGTERM"));
    Deno.exit((await child.status).code);
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof ClusterError)) throw error;
    Deno.stderr.writeSync(new TextEncoder().encode(`${error.message}\n`));
    Deno.exit(2);
  }
}
