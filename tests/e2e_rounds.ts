/**
 * How the tests on the cluster are run: most of them mostly wait for it, so several files run at the same time.
 *
 * @module
 */

/** Files at the same time. On two cores more of them would delay each other. */
const JOBS = 2;
/** Tests that measure times or memory, list the whole cluster, or change this process's environment, which files share. */
export const ALONE: readonly string[] = [
  "apply_example",
  "doctor",
  "every_command",
  "fallback",
  "kubeconfig_kubectl",
  "long_sleep",
  "many_connections",
  "pod_end",
  "port_forward",
  "webhook_operator",
  "webhook",
  "webhook_under_load",
];

/** The files of one `deno test`, its flags and environment. */
export interface TestRound {
  readonly flags: readonly string[];
  readonly files: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** The files of the tests that every cluster runs, from the project's folder. Those of a topology are not among them. */
export async function e2eFiles(): Promise<string[]> {
  const entries = await Array.fromAsync(Deno.readDir(new URL("e2e/", import.meta.url)));
  return entries.filter(({ name }) => name.endsWith("_test.ts")).map(({ name }) => `tests/e2e/${name}`).sort();
}

/** The flags of `deno test` with which only the tests of these names run. */
export function onlyNamed(names: readonly string[]): string[] {
  const patterns = names.map((name) => name.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&"));
  return ["--filter", `/^(${patterns.join("|")})$/`];
}

/** Divides files into those that run at the same time, and those that run one after the other. */
export function e2eRounds(files: readonly string[]): TestRound[] {
  // Tests of a topology end parts of the cluster.
  const isAlone = (file: string) => file.includes("/topologies/") || ALONE.some((name) => file.endsWith(`/${name}_test.ts`));
  const rounds: TestRound[] = [
    { flags: ["--parallel"], files: files.filter((file) => !isAlone(file)), env: { DENO_JOBS: `${JOBS}` } },
    { flags: [], files: files.filter(isAlone), env: {} },
  ];
  return rounds.filter((round) => round.files.length > 0);
}
