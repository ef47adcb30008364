import type { BuildOptions, BuiltProgram } from "./built_program.ts";
import { buildGo } from "./go_builder.ts";
import type { ProgramSource } from "./program_source.ts";
import { buildScript } from "./script_builder.ts";

/** Builds a source. @returns the program, which the caller disposes of @throws BuildError, or the signal's reason */
export async function buildSource(source: ProgramSource, options: BuildOptions): Promise<BuiltProgram> {
  return source.language === "script" ? await buildScript(source, options) : await buildGo(source, options);
}
