import type { BuiltProgram } from "./built_program.ts";
import { buildGo } from "./go_builder.ts";
import { findSource, type ProgramSource } from "./program_source.ts";
import { buildScript } from "./script_builder.ts";

/** What to build, for what, and how. */
export interface BuildOptions {
  /** What the user gave: Go files of one package, one script, or one folder. */
  readonly targets: readonly string[];
  /** The folder that they are relative to. */
  readonly cwd: string;
  /** The node's, in Go's words (amd64, arm64); it may still be being asked for: scripts run on all, and do not wait for it. */
  readonly architecture: string | PromiseLike<string>;
  /** Gets what the compiler says, as it says it. */
  readonly stderr: (text: string) => void;
  /** Ends the compiler and removes its temporary files. */
  readonly signal: AbortSignal;
}

/**
 * Builds the user's program.
 *
 * @returns the program, which the caller disposes of
 * @throws BuildError, or the signal's reason
 */
export async function buildProgram(options: BuildOptions): Promise<BuiltProgram> {
  return await buildSource(await findSource(options.targets, options.cwd), options);
}

/** {@link buildProgram} of a source that was found already, as `--watch` does it again and again. */
export async function buildSource(source: ProgramSource, options: Omit<BuildOptions, "targets" | "cwd">): Promise<BuiltProgram> {
  if (source.language === "script") return await buildScript(source, options);
  return await buildGo(source, { ...options, architecture: await options.architecture });
}
