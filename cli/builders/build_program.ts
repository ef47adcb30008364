import type { BuiltProgram } from "./built_program.ts";
import { buildGo } from "./go_builder.ts";
import type { ProgramSource } from "./program_source.ts";
import { buildScript } from "./script_builder.ts";

/** How to build a program. */
export interface BuildOptions {
  /** The node's, in Go's spelling (amd64, arm64). Scripts run on all and do not wait for it. */
  readonly architecture: string | PromiseLike<string>;
  /** Gets the compiler's messages as they come. */
  readonly stderr: (text: string) => void;
  /** Stops the compiler and removes its temporary files. */
  readonly signal: AbortSignal;
}

/** Builds a source. @returns the program, which the caller disposes of @throws BuildError, or the signal's reason */
export async function buildSource(source: ProgramSource, options: BuildOptions): Promise<BuiltProgram> {
  if (source.language === "script") return await buildScript(source, options);
  return await buildGo(source, { ...options, architecture: await options.architecture });
}
