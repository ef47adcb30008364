import { dirname, join } from "node:path";
import { BuildError } from "./build_error.ts";
import type { ScriptSource } from "./program_source.ts";

/** The bundler on this machine. */
export interface Bundler {
  readonly is: "deno" | "esbuild";
  readonly program: string;
  /** For messages. */
  readonly name: string;
}

/** The first Deno that has the present `deno bundle`. */
const OLDEST_DENO = [2, 4];

/**
 * Finds a bundler: the Deno that runs kurun, else the one in PATH, else the esbuild of the script's project.
 *
 * @param options `ownDeno` is false if the Deno that runs kurun cannot bundle, as in a compiled kurun
 * @throws BuildError if there is none
 */
export async function findBundler(
  source: ScriptSource,
  { env = {}, ownDeno = !Deno.build.standalone, signal }: {
    env?: Readonly<Record<string, string>>;
    ownDeno?: boolean;
    signal: AbortSignal;
  },
): Promise<Bundler> {
  const deno = await findDeno({ env, ownDeno, signal });
  if (deno !== undefined) return { is: "deno", program: deno, name: "deno bundle" };
  const esbuild = await findEsbuild(dirname(source.main));
  if (esbuild !== undefined) return { is: "esbuild", program: esbuild, name: "esbuild" };
  throw new BuildError({ is: "no-bundler", node: source.config?.endsWith("package.json") ?? false });
}

/** @returns the path or name of a Deno that bundles, or undefined */
export async function findDeno(
  { env = {}, ownDeno = !Deno.build.standalone, signal }: {
    env?: Readonly<Record<string, string>>;
    ownDeno?: boolean;
    signal: AbortSignal;
  },
): Promise<string | undefined> {
  if (ownDeno) return Deno.execPath();
  signal.throwIfAborted();
  try {
    const { success, stdout } = await new Deno.Command("deno", {
      args: ["--version"],
      env: { ...env, NO_COLOR: "1" },
      stderr: "null",
      signal,
    })
      .output();
    signal.throwIfAborted();
    return success && bundles(new TextDecoder().decode(stdout)) ? "deno" : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Whether a Deno that prints this for `--version` can bundle. */
export function bundles(version: string): boolean {
  const [, major = 0, minor = 0] = (/^deno (\d+)\.(\d+)/.exec(version) ?? []).map(Number);
  const [oldestMajor = 0, oldestMinor = 0] = OLDEST_DENO;
  return major > oldestMajor || major === oldestMajor && minor >= oldestMinor;
}

async function findEsbuild(folder: string): Promise<string | undefined> {
  const name = Deno.build.os === "windows" ? "esbuild.cmd" : "esbuild";
  for (let at = folder;; at = dirname(at)) {
    const path = join(at, "node_modules", ".bin", name);
    try {
      if ((await Deno.stat(path)).isFile) return path;
    } catch {
      // Try the next folder up.
    }
    if (dirname(at) === at) return undefined;
  }
}
