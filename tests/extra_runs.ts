/**
 * Runs of the command line in other forms on the cluster: as one executable, and from source on the oldest supported Deno. Each is left out
 * if the environment does not name what it needs.
 *
 * @module
 */

const ROOT = new URL("../", import.meta.url).pathname;
const COMPILED = `${ROOT}build/kurun`;
/** The tests that depend on the runtime (sockets, TLS, processes, signals), without the slow ones. */
const CHOSEN = [
  "tests/e2e/kubeconfig_test.ts",
  "tests/e2e/port_forward_test.ts",
  "tests/e2e/server_image_test.ts",
  "tests/e2e/kubectl_plugin_test.ts",
  "tests/e2e/broken_upstream_test.ts",
  "tests/e2e/grpc_test.ts",
  "tests/e2e/raw_test.ts",
];
/** Slow tests, what needs a source, and those of features that Deno 2.6 lacks and cli/command/cluster_flags.ts refuses. */
const LEFT_OUT = { KURUN_LEAVE_OUT: "kill -9|deadline moves|1 GB down|replaced while kurun runs|several groups|with another server" };

/** A run, or why it is left out. */
export interface ExtraRun {
  /** The line that announces the run, or says why it is left out. */
  readonly title: string;
  readonly tests?: readonly string[];
  readonly env?: Record<string, string>;
}

/** Compiles the executable. Needs a denort (KURUN_DENORT or DENORT_BIN) of the same version as the compiling Deno (KURUN_OLD_DENO, else this one). */
export async function compiledRun(): Promise<ExtraRun> {
  const denort = Deno.env.get("KURUN_DENORT") ?? Deno.env.get("DENORT_BIN");
  if (!denort) return { title: "The compiled kurun is not tested: neither KURUN_DENORT nor DENORT_BIN is set" };
  const compiler = Deno.env.get("KURUN_OLD_DENO") ?? Deno.execPath();
  const { success, stderr } = await new Deno.Command(compiler, {
    args: ["run", "-A", "tests/compile.ts"],
    cwd: ROOT,
    env: { DENORT_BIN: denort, NO_COLOR: "1" },
    stdout: "null",
    stderr: "piped",
  }).output();
  if (!success) throw new Error(`kurun could not be compiled by ${compiler}:\n${new TextDecoder().decode(stderr)}`);
  // This puts the image's Deno from npm into kurun's cache: npm cannot be reached inside the cluster's network.
  await new Deno.Command(COMPILED, { args: ["image", "--output", `${ROOT}build/compiled-image.tar`], stdout: "null", stderr: "inherit" })
    .output();
  return {
    title: `The compiled kurun (${COMPILED}):`,
    tests: [...CHOSEN, "tests/compiled_test.ts"],
    env: { ...LEFT_OUT, KURUN_COMMAND: JSON.stringify([COMPILED]), KURUN_COMPILED: COMPILED },
  };
}

/** Runs from source on an older Deno (KURUN_OLD_DENO). */
export function oldDenoRun(): ExtraRun {
  const old = Deno.env.get("KURUN_OLD_DENO");
  if (!old) return { title: "kurun is not tested on an older Deno: KURUN_OLD_DENO is not set" };
  return {
    title: `kurun from source on ${old}:`,
    tests: CHOSEN,
    env: { ...LEFT_OUT, KURUN_COMMAND: JSON.stringify([old, "run", "-A", `${ROOT}main.ts`]) },
  };
}
