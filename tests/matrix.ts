/**
 * The tests on the cluster, on other Kubernetes versions and other kinds of cluster. It takes the test cluster down that is up.
 *
 *     deno task test:matrix                             # what differs between clusters (tests/matrix/rows.ts), on each of them
 *     deno task test:matrix --only 1.31 --only 1.37     # clusters whose name contains one of these
 *     deno task test:matrix --all --write               # all tests on each cluster, and into docs/compatibility.md
 *
 * @module
 */
import { VERSION } from "../cli/command/version.ts";
import { commit } from "./bench/machine.ts";
import { type Cluster, ClusterError, ClusterUnavailableError, foreignKubeconfig } from "./cluster/cluster.ts";
import { takeOwnDown } from "./cluster/own_cluster.ts";
import { progressOnStderr } from "./cluster/progress.ts";
import { KUBERNETES_VERSIONS } from "./cluster/variant.ts";
import { e2eFiles, e2eRounds, onlyNamed, type TestRound } from "./e2e_rounds.ts";
import { type MatrixFlags, matrixFlags } from "./matrix/flags.ts";
import { junitResults, type TestResults, together } from "./matrix/junit.ts";
import { compatibilityDocument, rowLine, type RowResult } from "./matrix/report.ts";
import { CHOSEN, OF_TOPOLOGY, rowName, ROWS } from "./matrix/rows.ts";
import { preparedCluster } from "./prepared_cluster.ts";

const ROOT = new URL("../", import.meta.url).pathname;
const DOCUMENT = `${ROOT}docs/compatibility.md`;
const RESULTS = `${ROOT}build/matrix.xml`;

/** Runs the tests on each cluster, one after the other. @returns whether all passed */
async function main(flags: MatrixFlags): Promise<boolean> {
  const progress = progressOnStderr();
  const results: RowResult[] = [];
  // Once: the report that each row is written into changes the checkout.
  const tested = `kurun ${VERSION} ${await commit()}`;
  for (const row of flags.rows) {
    progress.say(`${rowName(row)}:`);
    Deno.env.set("KURUN_TEST_KUBERNETES", row.kubernetes);
    Deno.env.set("KURUN_TEST_TOPOLOGY", row.topology);
    try {
      results.push(await runRow(row, await preparedCluster(), tested, flags.all));
    } catch (error) {
      say(results.map(rowLine).join(""));
      throw error;
    } finally {
      await takeOwnDown(progress);
    }
    // After each row: all of them take hours.
    if (flags.write) await writeDocument(results);
  }
  say(`\n${results.map(rowLine).join("")}`);
  return results.every(({ results }) => results.failed.length === 0);
}

async function runRow(row: RowResult["row"], cluster: Cluster, tested: string, all: boolean): Promise<RowResult> {
  const version = await serverVersion(cluster);
  const expected = `v${KUBERNETES_VERSIONS[row.kubernetes]}`;
  if (version !== expected) throw new ClusterError(`The cluster is of ${version} instead of ${expected}.`);
  const began = performance.now();
  const known = await e2eFiles();
  const own = OF_TOPOLOGY[row.topology];
  const path = (name: string) => `tests/e2e/${name}_test.ts`;
  const files = [...all ? known : CHOSEN.map(path), ...own ? [path(own)] : []].sort();
  const first = together(await inTurn(e2eRounds(files), cluster));
  // Many tests wait for something, and a busy machine may take longer than they wait. By name: of most tests deno test says that they are in
  // kubernetes.ts, which registers them.
  const again: TestRound = { files, flags: onlyNamed(first.failed.map(({ name }) => name)), env: {} };
  const { passed } = together(await inTurn(first.failed.length > 0 ? [again] : [], cluster));
  // What is not found again, as a file that could not be loaded, has failed.
  const failed = first.failed.filter(({ name }) => !passed.includes(name));
  const onlyAlone = first.failed.filter((test) => !failed.includes(test)).map(({ name }) => name);
  return {
    row,
    version,
    files: all ? `all ${files.length}` : `${files.length} of ${known.length + (own ? 1 : 0)}`,
    results: { passed: [...first.passed, ...onlyAlone], failed, skipped: first.skipped },
    onlyAlone,
    tookMs: performance.now() - began,
    when: `${new Date().toISOString().slice(0, 10)}, ${tested}`,
  };
}

async function inTurn(rounds: readonly TestRound[], cluster: Cluster): Promise<TestResults[]> {
  const results: TestResults[] = [];
  for (const { flags, files, env } of rounds) {
    await Deno.remove(RESULTS).catch(() => {});
    const command = cluster.exec([Deno.execPath(), "test", "-A", `--junit-path=${RESULTS}`, ...flags, ...files], {
      cwd: ROOT,
      env: { NO_COLOR: "1", ...env },
      stdout: "inherit",
      stderr: "inherit",
    });
    const { code } = await command.spawn().status;
    const read = junitResults(await Deno.readTextFile(RESULTS).catch(() => ""));
    if (code !== 0 && read.failed.length === 0) throw new ClusterError(`deno test ended with exit code ${code}, and no test failed.`);
    results.push(read);
  }
  return results;
}

async function serverVersion(cluster: Cluster): Promise<string> {
  const { stdout } = await cluster.exec(["kubectl", "version", "-o", "json"], { stdout: "piped" }).output();
  return JSON.parse(new TextDecoder().decode(stdout)).serverVersion.gitVersion;
}

async function writeDocument(results: readonly RowResult[]): Promise<void> {
  const old = await Deno.readTextFile(DOCUMENT).catch(() => "");
  await Deno.writeTextFile(DOCUMENT, compatibilityDocument(ROWS.map(rowName), results, old));
}

function say(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(text));
}

if (import.meta.main) {
  try {
    const flags = matrixFlags(Deno.args);
    if (foreignKubeconfig()) throw new ClusterUnavailableError("The matrix builds its own clusters. Unset KURUN_TEST_KUBECONFIG.");
    Deno.exit(await main(flags) ? 0 : 1);
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof ClusterError)) throw error;
    say(`${error.message}\n`);
    Deno.exit(2);
  }
}
