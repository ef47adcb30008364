import { currentFolder } from "../command/current_folder.ts";
import { dirname, join } from "node:path";
import { BuildError } from "./build_error.ts";
import type { BuildOptions } from "./built_program.ts";
import { nearestFile } from "./find_file.ts";
import type { ScriptSource } from "./program_source.ts";
import { outputOf } from "./run_compiler.ts";

/** The bundler on this machine: its name and path. */
type Bundler = { readonly name: "deno bundle" | "esbuild"; readonly program: string };

/** Finds a bundler: the Deno that runs kurun, else the one in PATH, else the esbuild of the script's project. @throws BuildError if there is none */
export async function findBundler(source: ScriptSource, options: BuildOptions): Promise<Bundler> {
  const deno = await findDeno(options);
  if (deno !== undefined) return { name: "deno bundle", program: deno };
  const name = Deno.build.os === "windows" ? "esbuild.cmd" : "esbuild";
  const esbuild = await nearestFile(dirname(source.main), [join("node_modules", ".bin", name)]);
  if (esbuild !== undefined) return { name: "esbuild", program: esbuild };
  const advice = source.config?.endsWith("package.json")
    ? ", and node_modules has no esbuild. Run npm install --save-dev esbuild, or install Deno from https://deno.com"
    : ". Install Deno from https://deno.com";
  throw new BuildError("no-bundler", `deno 2.4 or newer was not found in PATH; it is needed to bundle scripts${advice}`);
}

/** @returns the path or name of a Deno that bundles, or undefined */
export async function findDeno(
  { env = {}, ownDeno = !Deno.build.standalone, signal }: Pick<BuildOptions, "env" | "ownDeno" | "signal">,
): Promise<string | undefined> {
  if (ownDeno) return Deno.execPath();
  try {
    const call = { program: "deno", args: ["--version"], folder: currentFolder(), env: { ...env, NO_COLOR: "1" }, signal };
    const { success, text } = await outputOf(call);
    return success && bundles(text) ? "deno" : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Whether a Deno that prints this for `--version` has the present `deno bundle`: 2.4 and newer do. */
export function bundles(version: string): boolean {
  const [, major = 0, minor = 0] = (/^deno (\d+)\.(\d+)/.exec(version) ?? []).map(Number);
  return major > 2 || major === 2 && minor >= 4;
}
