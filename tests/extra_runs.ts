/**
 * Runs of the command line in other forms on the cluster: as one executable, and from source on the oldest supported Deno. Each is left out
 * if the environment does not name what it needs.
 *
 * @module
 */
import { COMPILED_VARIABLE, compiledKurun } from "./compiled_kurun.ts";

const ROOT = new URL("../", import.meta.url).pathname;
/** Each command, and the tests that depend on the runtime (sockets, TLS, processes, signals), without the slow ones. */
const CHOSEN = [
  "tests/e2e/every_command_test.ts",
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

/** Runs with the executable, compiled anew. */
export async function compiledRun(): Promise<ExtraRun> {
  const compiled = await compiledKurun();
  if (!compiled) return { title: "The compiled kurun is not tested: neither KURUN_DENORT nor DENORT_BIN is set" };
  await fetchImageDeno([compiled]);
  return {
    title: `The compiled kurun (${compiled}):`,
    tests: [...CHOSEN, "tests/compiled_test.ts", "tests/e2e/clean_root_test.ts"],
    env: { ...LEFT_OUT, KURUN_COMMAND: JSON.stringify([compiled]), [COMPILED_VARIABLE]: compiled },
  };
}

/** Runs from source on an older Deno (KURUN_OLD_DENO). */
export async function oldDenoRun(): Promise<ExtraRun> {
  const old = Deno.env.get("KURUN_OLD_DENO");
  if (!old) return { title: "kurun is not tested on an older Deno: KURUN_OLD_DENO is not set" };
  const command = [old, "run", "-A", `${ROOT}main.ts`];
  await fetchImageDeno(command);
  return { title: `kurun from source on ${old}:`, tests: CHOSEN, env: { ...LEFT_OUT, KURUN_COMMAND: JSON.stringify(command) } };
}

/** Lets kurun put the image's Deno from npm into its cache: npm cannot be reached inside the cluster's network. */
async function fetchImageDeno([program, ...before]: readonly string[]): Promise<void> {
  const args = [...before, "image", "--output", `${ROOT}build/extra-image.tar`];
  await new Deno.Command(program as string, { args, stdout: "null", stderr: "inherit" }).output();
}
