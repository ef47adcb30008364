/**
 * `deno task test`: all tests. First those without a cluster, then those on a real one, from inside its network, where Services can be
 * reached, and at last each fault once (tests/faults.ts). The last line is the sum of all. Arguments go to `deno test`; with arguments the
 * faults are left out.
 *
 * @module
 */
import { type Cluster, ClusterUnavailableError } from "./cluster/cluster.ts";
import { compiledRun, type ExtraRun, oldDenoRun } from "./extra_runs.ts";
import { faultsInside } from "./faults.ts";
import { ALL_FAULTS } from "./faults/all_faults.ts";
import { e2eFiles, e2eRounds } from "./e2e_rounds.ts";
import { preparedCluster } from "./prepared_cluster.ts";

const ROOT = new URL("../", import.meta.url).pathname;

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

/** Runs the tests on the cluster. If there can be none, they are counted as skipped, with the reason. */
async function endToEnd(): Promise<Counts> {
  try {
    const cluster = await preparedCluster();
    const ends: Counts[] = [];
    const inside = async (tests: readonly string[], more: Record<string, string> = {}) => {
      for (const { flags, files, env } of e2eRounds(tests)) {
        const options: Deno.CommandOptions = { cwd: ROOT, env: { NO_COLOR: "1", ...env, ...more }, stdout: "piped", stderr: "inherit" };
        ends.push(await count(cluster.exec([Deno.execPath(), "test", "-A", ...flags, ...files, ...Deno.args], options)));
      }
    };
    await inside(await e2eFiles());
    for (const find of [compiledRun, oldDenoRun]) {
      const run: ExtraRun = await find();
      say(run.title);
      if (run.tests) await inside(run.tests, run.env);
    }
    ends.push(await faults(cluster));
    return sum(ends);
  } catch (error) {
    if (!(error instanceof ClusterUnavailableError)) throw error;
    say(`The tests on a cluster are skipped: ${error.message}`);
    return await count(
      new Deno.Command(Deno.execPath(), options(["test", "-A", "tests/e2e", ...Deno.args], { KURUN_NO_CLUSTER: error.message })),
    );
  }
}

/** Faults that are run through the kubelet too. */
const BY_POD = ["the Pod is deleted", "in the middle of bodies"];

/** Runs each fault once, and some of them through the kubelet. */
async function faults(cluster: Cluster): Promise<Counts> {
  const none = { passed: 0, failed: 0, skipped: 0 };
  if (Deno.args.length > 0) {
    say("The faults are left out because arguments choose among the tests; run them with deno task test:faults");
    return none;
  }
  if (cluster.foreign) {
    say("The faults are skipped: they break the cluster, and the one of KURUN_TEST_KUBECONFIG is not ours");
    return { ...none, skipped: ALL_FAULTS.length };
  }
  const run = async (...args: string[]) =>
    await count(await faultsInside(cluster, args, { env: { NO_COLOR: "1" }, stdout: "piped", stderr: "inherit" }));
  say("The faults:");
  const all = await run();
  say("Faults through the kubelet:");
  return sum([all, await run("--transport", "pod", ...BY_POD.flatMap((name) => ["--only", name]))]);
}

function options(args: string[], env: Record<string, string> = {}): Deno.CommandOptions {
  return { args, cwd: ROOT, env: { NO_COLOR: "1", ...env }, stdout: "piped", stderr: "inherit" };
}

/** Runs tests, shows their output, and reads the counts from its last line. */
async function count(command: Deno.Command): Promise<Counts> {
  const child = command.spawn();
  let tail = "";
  for await (const bytes of child.stdout) {
    Deno.stdout.writeSync(bytes);
    tail = (tail + new TextDecoder().decode(bytes)).slice(-4_000);
  }
  const { code } = await child.status;
  const closing = /(\d+) passed(?: \(\d+ steps?\))? \| (\d+) failed(?: \(\d+ steps?\))?(?: \| (\d+) ignored)?/.exec(tail);
  if (!closing) return { passed: 0, failed: 1, skipped: 0 };
  const [, passed, failed, ignored] = closing.map(Number);
  return { passed: passed as number, failed: Math.max(failed as number, code === 0 ? 0 : 1), skipped: ignored || 0 };
}

function sum(all: readonly Counts[]): Counts {
  const of = (key: keyof Counts) => all.reduce((total, counts) => total + counts[key], 0);
  return { passed: of("passed"), failed: of("failed"), skipped: of("skipped") };
}

function say(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

if (import.meta.main) {
  const units = await count(
    new Deno.Command(Deno.execPath(), options(["test", "-A", "--parallel", "--trace-leaks", "--ignore=tests/e2e", ...Deno.args])),
  );
  const { passed, failed, skipped } = sum([units, await endToEnd()]);
  say(`${passed} passed, ${failed} failed, ${skipped} skipped`);
  Deno.exit(failed > 0 ? 1 : 0);
}
