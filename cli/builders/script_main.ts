import { join } from "node:path";
import { parse as parseYaml } from "yaml";
import { BuildError } from "./build_error.ts";
import { isFile } from "./find_file.ts";

const EXTENSIONS = ["ts", "tsx", "mts", "js", "mjs", "jsx", "cjs"];
/** A project's configurations, in Deno's order of preference. */
export const CONFIGS = ["deno.json", "deno.jsonc", "package.json"] as const;

/** Paths of main modules, the likeliest first. */
const USUAL_MAINS = ["main", "index", "src/main", "src/index"].flatMap((name) => EXTENSIONS.map((extension) => `${name}.${extension}`));

/**
 * Finds the main module of a project: the first existing one that its configuration names, else `main`, `index`, `src/main` or `src/index`.
 * @returns its absolute path, or else the names that were tried @throws BuildError if a configuration file cannot be read
 */
export async function findScriptMain(folder: string): Promise<{ main?: string; looked: readonly string[] }> {
  const named: string[] = [];
  for (const name of CONFIGS) {
    const path = join(folder, name);
    if (await isFile(path)) named.push(...namedMains(name, await readConfig(path)));
  }
  // A name in package.json may lack its extension, as Node allows, or name a file that has not been built yet.
  for (const path of [...named.flatMap((path) => [path, `${path}.js`, `${path}/index.js`]), ...USUAL_MAINS]) {
    const main = join(folder, path);
    if (await isFile(main)) return { main, looked: [] };
  }
  return { looked: [...named, "main.ts", "index.ts", "src/main.ts", "src/index.ts (or .js, .mjs …)"] };
}

/**
 * The main modules that a parsed configuration names, relative to its folder, the likeliest first: in package.json `main`, which `node DIR`
 * runs, then `module` and `exports`; in deno.json `exports`.
 */
export function namedMains(name: typeof CONFIGS[number], config: unknown): string[] {
  if (typeof config !== "object" || config === null) return [];
  const { main, module, exports } = config as Record<string, unknown>;
  const all = name === "package.json" ? [main, module, exportedMain(exports)] : [exportedMain(exports)];
  return all.filter((path) => typeof path === "string").map((path) => path.replace(/^\.\//, ""));
}

/** Reads `"exports"`: a path, or an object with it under "." or a condition. */
function exportedMain(exports: unknown): string | undefined {
  if (typeof exports === "string") return exports;
  if (typeof exports !== "object" || exports === null) return undefined;
  const conditions = exports as Record<string, unknown>;
  for (const key of [".", "deno", "import", "node", "default"]) {
    const path = exportedMain(conditions[key]);
    if (path !== undefined) return path;
  }
  return undefined;
}

/** Parses a deno.json, deno.jsonc or package.json. @throws BuildError if it is invalid */
export async function readConfig(path: string): Promise<unknown> {
  const text = await Deno.readTextFile(path);
  try {
    return JSON.parse(text);
  } catch (cause) {
    // deno.json may have comments and trailing commas. YAML's flow style accepts all but JSON's comments.
    try {
      return parseYaml(withoutComments(text), { prettyErrors: false });
    } catch {
      throw new BuildError("bad-config", `${path} cannot be read: ${(cause as Error).message}`, { cause });
    }
  }
}

/** Replaces JSON's comments by spaces. Strings stay, whatever they contain. */
export function withoutComments(text: string): string {
  return text.replace(/("(?:[^"\\]|\\.)*")|\/\/[^\n]*|\/\*[\s\S]*?\*\//g, (_all, string: string | undefined) => string ?? " ")
    .replaceAll("\t", " ");
}

/** The unstable features that a parsed configuration enables. Entries that are not names of Deno's flags are left out. */
export function unstableFeatures(config: unknown): string[] {
  const { unstable } = (config ?? {}) as { unstable?: unknown };
  return Array.isArray(unstable) ? unstable.filter((name) => typeof name === "string" && /^[a-z-]+$/.test(name)) : [];
}
