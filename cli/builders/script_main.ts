import { join } from "node:path";
import { parse as parseYaml } from "yaml";
import { BuildError } from "./build_error.ts";

const EXTENSIONS = ["ts", "tsx", "mts", "js", "mjs", "jsx", "cjs"];
const CONFIGS = ["deno.json", "deno.jsonc", "package.json"] as const;

/** A folder's main module, if it has one, and the names that were tried. */
export interface ScriptMain {
  /** Absolute. */
  readonly main: string | undefined;
  readonly looked: readonly string[];
}

/**
 * Finds the main module of a project: the first existing one that its configuration names, else `main`, `index`, `src/main` or `src/index`.
 *
 * @throws BuildError if a configuration file cannot be read
 */
export async function findScriptMain(folder: string): Promise<ScriptMain> {
  const files = new Set<string>();
  for (const place of ["", "src"]) {
    for (const name of await fileNames(join(folder, place))) files.add(place ? `${place}/${name}` : name);
  }
  const named: string[] = [];
  for (const name of CONFIGS) {
    if (!files.has(name)) continue;
    named.push(...namedMains(name, await readConfig(join(folder, name))));
  }
  for (const path of named) {
    // A name in package.json may lack its extension, as Node allows, or name a file that has not been built yet.
    for (const ending of ["", ".js", "/index.js"]) {
      const main = join(folder, path + ending);
      if (await isFile(main)) return { main, looked: [] };
    }
  }
  const usual = usualMain(files);
  return { main: usual && join(folder, usual), looked: [...named, "main.ts", "index.ts", "src/main.ts", "src/index.ts (or .js, .mjs …)"] };
}

/**
 * The main modules that a configuration names, the likeliest first: in package.json `main`, which `node DIR` runs, then `module` and
 * `exports`; in deno.json `exports`.
 *
 * @param config the parsed file
 * @returns paths relative to the project's folder
 */
export function namedMains(name: "deno.json" | "deno.jsonc" | "package.json", config: unknown): string[] {
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

/** @param files paths relative to the project's folder @returns the path of a module with a usual name */
export function usualMain(files: ReadonlySet<string>): string | undefined {
  for (const name of ["main", "index", "src/main", "src/index"]) {
    const extension = EXTENSIONS.find((extension) => files.has(`${name}.${extension}`));
    if (extension !== undefined) return `${name}.${extension}`;
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
      throw new BuildError({ is: "bad-config", path, reason: (cause as Error).message }, { cause });
    }
  }
}

/** Replaces JSON's comments by spaces. Strings stay, whatever they contain. */
export function withoutComments(text: string): string {
  return text.replace(/("(?:[^"\\]|\\.)*")|\/\/[^\n]*|\/\*[\s\S]*?\*\//g, (_all, string: string | undefined) => string ?? " ")
    .replaceAll("\t", " ");
}

/**
 * The unstable features that a configuration enables, by their names in Deno's flags. Entries that are not such names are left out.
 *
 * @param config what the file says
 */
export function unstableFeatures(config: unknown): string[] {
  const { unstable } = (config ?? {}) as { unstable?: unknown };
  return Array.isArray(unstable) ? unstable.filter((name) => typeof name === "string" && /^[a-z-]+$/.test(name)) : [];
}

async function fileNames(folder: string): Promise<string[]> {
  const names: string[] = [];
  try {
    for await (const { name, isDirectory } of Deno.readDir(folder)) if (!isDirectory) names.push(name);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound) && !(error instanceof Deno.errors.NotADirectory)) throw error;
  }
  return names;
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch {
    return false;
  }
}
