import { builtinModules } from "node:module";
import { basename, dirname, join } from "node:path";
import { withoutHomePaths } from "../../k8s/images/server_bundle.ts";
import { BuildError } from "./build_error.ts";
import { type BuildOptions, type BuiltProgram, builtProgram } from "./built_program.ts";
import { exists } from "./find_file.ts";
import { findBundler } from "./bundler.ts";
import { withCommonJs } from "./commonjs_bundle.ts";
import type { ScriptSource } from "./program_source.ts";
import { runCompiler } from "./run_compiler.ts";
import { readConfig, unstableFeatures } from "./script_main.ts";

/** A path relative to the module itself: `new URL("./a", import.meta.url)`, `join(__dirname, "a")`, `${import.meta.dirname}/a`. */
const NEXT_TO_MODULE = [
  /\bnew URL\(\s*["'`]([^"'`$]+)["'`],\s*import\.meta\.url\s*\)/g,
  /\b(?:join|resolve)\(\s*(?:__dirname|import\.meta\.dirname)\s*,\s*["'`]([^"'`$]+)["'`]/g,
  /\$\{(?:__dirname|import\.meta\.dirname)\}\/([^`$]+)`/g,
];
/** Bundlers write each module's path before its code. */
const MODULE_PATH = /^\/\/ (\S.*)$/gm;

/**
 * Bundles a script with its project's modules and npm packages into one ES module. It is not minified, which breaks packages and makes stack
 * traces useless. It has no source map: Deno's bundler writes wrong line numbers.
 * @throws BuildError, or the signal's reason
 */
export async function buildScript(source: ScriptSource, options: BuildOptions): Promise<BuiltProgram> {
  const { stderr, signal, env = {} } = options;
  // The project's configuration does not go with the bundle.
  const unstable = source.config === undefined ? [] : unstableFeatures(await readConfig(source.config));
  return await builtProgram({ kind: "script", unstable }, async (folder) => {
    const bundler = await findBundler(source, options);
    const output = join(folder, "main.js");
    const args = bundler.name === "esbuild"
      ? ["--bundle", "--format=esm", "--platform=node", "--target=esnext", "--log-level=warning", `--outfile=${output}`, source.main]
      : ["bundle", "--quiet", "--platform", "deno", ...nodeFlags(source), "--output", output, source.main];
    const exitCode = await runCompiler({
      program: bundler.program,
      args,
      // Deno looks for deno.json with its import map from here upwards.
      folder: dirname(source.main),
      // With RUST_BACKTRACE, Deno's errors would end with addresses in Deno itself.
      env: { DENO_NO_UPDATE_CHECK: "1", RUST_LIB_BACKTRACE: "0", ...env },
      stderr,
      signal,
    });
    if (exitCode !== 0) throw new BuildError("failed", `${bundler.name} failed with exit code ${exitCode}: see above`);
    const written = await Deno.readTextFile(output).catch((cause) => {
      if (!(cause instanceof Deno.errors.NotFound)) throw cause;
      throw new BuildError("no-output", `${bundler.name} succeeded but wrote no program`, { cause });
    });
    for (const path of await unsentFiles(written, dirname(source.main))) {
      stderr(`Warning: ${path} is not sent to the cluster, only what the script imports is. Import it, as with { type: "text" }.\n`);
    }
    const bundle = bundler.name === "esbuild" ? withMainAlone(written, basename(source.main)) : written;
    // Bundlers keep a script's `#!…`. It is valid only in the first line, and our own line goes before it.
    await Deno.writeTextFile(output, withCommonJs(withNodePrefixes(withoutHomePaths(bundle).replace(/^#!.*/, ""))));
    return output;
  });
}

/** Flags for what Node projects may write: `./module` for `./module.ts`, and `fs` for `node:fs`. */
export function nodeFlags(source: ScriptSource): string[] {
  return source.config?.endsWith("package.json") ? ["--unstable-sloppy-imports", "--unstable-bare-node-builtins"] : [];
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

/**
 * Finds files that modules look for next to themselves. They are not in the bundle, so the program will not find them in the Pod.
 * @param folder the folder that the bundle's paths of modules are relative to
 */
async function unsentFiles(bundle: string, folder: string): Promise<string[]> {
  const modules = [...bundle.matchAll(MODULE_PATH)];
  const found = new Set<string>();
  for (const match of NEXT_TO_MODULE.flatMap((pattern) => [...bundle.matchAll(pattern)])) {
    const module = modules.findLast(({ index }) => index < match.index)?.[1] ?? "";
    if (module.includes("node_modules/")) continue;
    const path = join(folder, dirname(module), match[1] as string);
    if (await exists(path)) found.add(path);
  }
  return [...found];
}
