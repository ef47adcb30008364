/**
 * The kurun that is compiled to one executable, for the tests and the benchmark.
 *
 * @module
 */
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../", import.meta.url));

/** The environment variable that names the executable to tests and benchmarks inside the cluster's network. */
export const COMPILED_VARIABLE = "KURUN_COMPILED";

/**
 * Compiles the executable. It needs a denort (KURUN_DENORT or DENORT_BIN) of the same version as the compiling Deno (KURUN_OLD_DENO, else
 * this one).
 *
 * @returns its path, or nothing if there is no denort
 * @throws if compiling fails
 */
export async function compiledKurun(): Promise<string | undefined> {
  const denort = Deno.env.get("KURUN_DENORT") ?? Deno.env.get("DENORT_BIN");
  if (!denort) return undefined;
  const compiler = Deno.env.get("KURUN_OLD_DENO") ?? Deno.execPath();
  const { success, stderr } = await new Deno.Command(compiler, {
    args: ["run", "-A", "tests/compile.ts"],
    cwd: ROOT,
    env: { DENORT_BIN: denort, NO_COLOR: "1" },
    stdout: "null",
    stderr: "piped",
  }).output();
  if (!success) throw new Error(`kurun could not be compiled by ${compiler}:\n${new TextDecoder().decode(stderr)}`);
  return `${ROOT}build/kurun`;
}
