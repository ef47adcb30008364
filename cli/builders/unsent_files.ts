import { dirname, join } from "node:path";

/** A path relative to the module itself: `new URL("./a", import.meta.url)`, `join(__dirname, "a")`, `${import.meta.dirname}/a`. */
const NEXT_TO_MODULE = [
  /\bnew URL\(\s*["'`]([^"'`$]+)["'`],\s*import\.meta\.url\s*\)/g,
  /\b(?:join|resolve)\(\s*(?:__dirname|import\.meta\.dirname)\s*,\s*["'`]([^"'`$]+)["'`]/g,
  /\$\{(?:__dirname|import\.meta\.dirname)\}\/([^`$]+)`/g,
];
/** Bundlers write each module's path before its code. */
const MODULE_PATH = /^\/\/ (\S.*)$/gm;

/**
 * Finds files that modules look for next to themselves. They are not in the bundle, so the program will not find them in the Pod.
 *
 * @param bundle the output of the bundler
 * @param folder the folder that the paths of its modules are relative to
 * @returns absolute paths of existing files and folders
 */
export async function unsentFiles(bundle: string, folder: string): Promise<string[]> {
  const modules = [...bundle.matchAll(MODULE_PATH)];
  const found = new Set<string>();
  for (const match of NEXT_TO_MODULE.flatMap((pattern) => [...bundle.matchAll(pattern)])) {
    const module = modules.findLast(({ index }) => index < match.index)?.[1] ?? "";
    if (module.includes("node_modules/")) continue;
    const path = join(folder, dirname(module), match[1] as string);
    if (await Deno.stat(path).then(() => true, () => false)) found.add(path);
  }
  return [...found];
}
