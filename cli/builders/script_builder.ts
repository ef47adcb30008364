import { builtinModules } from "node:module";
import { basename, dirname, join } from "node:path";
import { withoutHomePaths } from "../../k8s/images/server_bundle.ts";
import { BuildError } from "./build_error.ts";
import { type BuiltProgram, builtProgram } from "./built_program.ts";
import { type Bundler, findBundler } from "./bundler.ts";
import { withCommonJs } from "./commonjs_bundle.ts";
import type { ScriptSource } from "./program_source.ts";
import { runCompiler } from "./run_compiler.ts";
import { readConfig, unstableFeatures } from "./script_main.ts";
import { unsentFiles } from "./unsent_files.ts";

/** How to bundle a script. */
export interface ScriptBuildOptions {
  /** Gets the bundler's messages. */
  readonly stderr: (text: string) => void;
  readonly signal: AbortSignal;
  /** Added to kurun's environment for the bundler; for tests. */
  readonly env?: Readonly<Record<string, string>>;
  /** Whether the Deno that runs kurun may bundle; that of a compiled kurun cannot. For tests. */
  readonly ownDeno?: boolean;
}

/**
 * Bundles a script with its project's modules and npm packages into one ES module. It is not minified, which breaks packages and makes stack
 * traces useless. It has no source map: Deno's bundler writes wrong line numbers.
 *
 * @throws BuildError, or the signal's reason
 */
export async function buildScript(source: ScriptSource, options: ScriptBuildOptions): Promise<BuiltProgram> {
  const { stderr, signal, env = {} } = options;
  // The project's configuration does not go with the bundle.
  const unstable = source.config === undefined ? [] : unstableFeatures(await readConfig(source.config));
  return await builtProgram({ kind: "script", unstable }, async (folder) => {
    const bundler = await findBundler(source, options);
    const output = join(folder, "main.js");
    const { program, args } = bundleCall(bundler, source, output);
    const exitCode = await runCompiler({
      program,
      args,
      // Deno looks for deno.json with its import map from here upwards.
      folder: dirname(source.main),
      env: { DENO_NO_UPDATE_CHECK: "1", ...env },
      stderr: bundler.is === "deno" ? withoutBacktrace(stderr) : stderr,
      signal,
    });
    if (exitCode !== 0) throw new BuildError({ is: "failed", tool: bundler.name, exitCode, module: false });
    const written = await readOutput(output, bundler);
    for (const path of await unsentFiles(written, dirname(source.main))) {
      stderr(`Warning: ${path} is not sent to the cluster, only what the script imports is. Import it, as with { type: "text" }.\n`);
    }
    const bundle = bundler.is === "esbuild" ? withMainAlone(written, basename(source.main)) : written;
    await Deno.writeTextFile(output, withCommonJs(withNodePrefixes(withoutHashbang(withoutHomePaths(bundle)))));
    return output;
  });
}

function bundleCall(bundler: Bundler, source: ScriptSource, output: string): { program: string; args: string[] } {
  if (bundler.is === "deno") {
    const args = ["bundle", "--quiet", "--platform", "deno", ...nodeFlags(source), "--output", output, source.main];
    return { program: bundler.program, args };
  }
  return {
    program: bundler.program,
    args: [
      ...["--bundle", "--format=esm", "--platform=node", "--target=esnext", "--log-level=warning", `--outfile=${output}`],
      source.main,
    ],
  };
}

/** Flags for what Node projects may write: `./module` for `./module.ts`, and `fs` for `node:fs`. */
export function nodeFlags(source: ScriptSource): string[] {
  return source.config?.endsWith("package.json") ? ["--unstable-sloppy-imports", "--unstable-bare-node-builtins"] : [];
}

async function readOutput(path: string, bundler: Bundler): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) throw new BuildError({ is: "no-output", tool: bundler.name }, { cause });
    throw cause;
  }
}

/** In one module `import.meta.main` is true everywhere. Deno's bundler makes it false in all modules but the main one; esbuild does not. */
function withMainAlone(bundle: string, main: string): string {
  const start = Math.max(0, bundle.lastIndexOf(`\n// ${main}\n`));
  return bundle.slice(0, start).replace(/\bimport\.meta\.main\b/g, "false") + bundle.slice(start);
}

/** Changes `import … from "fs"`, which esbuild leaves, into `node:fs` for Deno. Only whole statements at the start of a line are changed. */
export function withNodePrefixes(bundle: string): string {
  return bundle.replace(/^((?:import|export)\s(?:[\w\s{},*$]+\sfrom\s+)?)"([\w/]+)"(?=;$)/gm, (all, head: string, name: string) => {
    return builtinModules.includes(name) ? `${head}"node:${name}"` : all;
  });
}

/** Bundlers keep a script's `#!…`. It is valid only in the first line, and our own line goes before it. */
function withoutHashbang(bundle: string): string {
  return bundle.replace(/^#!.*/, "");
}

/** Leaves out the backtrace behind Deno's error: it has only addresses in Deno itself. */
function withoutBacktrace(write: (text: string) => void): (text: string) => void {
  let line = "";
  let ended = false;
  return (text) => {
    line += text;
    for (let end = line.indexOf("\n"); end >= 0 && !ended; end = line.indexOf("\n")) {
      ended = line.startsWith("Stack backtrace:");
      if (!ended) write(line.slice(0, end + 1));
      line = line.slice(end + 1);
    }
  };
}
