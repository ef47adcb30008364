import type { BuiltProgram } from "./built_program.ts";
import { buildGo } from "./go_builder.ts";
import { findSource, type ProgramSource } from "./program_source.ts";
import { buildScript } from "./script_builder.ts";

/** What to build and how. */
export interface BuildOptions {
  /** What the user named: Go files of one package, one script, or one folder. */
  readonly targets: readonly string[];
  /** The folder that the targets are relative to. */
  readonly cwd: string;
  /** The node's, in Go's spelling (amd64, arm64). Scripts run on all and do not wait for it. */
  readonly architecture: string | PromiseLike<string>;
  /** Gets the compiler's messages as they come. */
  readonly stderr: (text: string) => void;
  /** Stops the compiler and removes its temporary files. */
  readonly signal: AbortSignal;
}

/**
 * Builds a program.
 *
 * @returns the program, which the caller disposes of
 * @throws BuildError, or the signal's reason
 */
export async function buildProgram(options: BuildOptions): Promise<BuiltProgram> {
  return await buildSource(await findSource(options.targets, options.cwd), options);
}

/** {@link buildProgram} for a source that has been found, as `--watch` needs it for each change. */
export async function buildSource(source: ProgramSource, options: Omit<BuildOptions, "targets" | "cwd">): Promise<BuiltProgram> {
  if (source.language === "script") return await buildScript(source, options);
  return await buildGo(source, { ...options, architecture: await options.architecture });
}
