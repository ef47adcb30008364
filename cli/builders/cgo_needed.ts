import { join, relative } from "node:path";
import { goSays, goTarget, jsonValues } from "./go_command.ts";
import type { GoSource } from "./program_source.ts";

/** Files that are compiled only with cgo, and their package. */
export interface CgoNeed {
  readonly package: string;
  /** Relative to the folder where `go` runs. */
  readonly files: readonly string[];
}

/** The fields of a package in `go list -json` that are used here. */
interface ListedPackage {
  readonly ImportPath: string;
  readonly Dir?: string;
  readonly Standard?: boolean;
  readonly GoFiles?: readonly string[];
  readonly CgoFiles?: readonly string[];
}

/** How the compiler reports missing names: `undefined: a.B`, `a.B undefined`, `unknown field B`, `missing method B`. */
const MISSING_NAMES = [
  /undefined: (?:\w+\.)?(\w+)/g,
  /\.(\w+) undefined/g,
  /(?:unknown field|missing method) (\w+)/g,
];
/** Go's import path for files that are named one by one. */
const NAMED_FILES = "command-line-arguments";
/** The most files that are named. */
const MAX_FILES = 3;

/**
 * Finds out whether a build failed because it ran without cgo. `go list` tells for each package which files are compiled only with cgo. The
 * build needs them if the package has no other files, or if they declare a name that the compiler reports as missing.
 *
 * @param said the output of `go build`
 * @throws the signal's reason
 */
export async function cgoNeeded(
  source: GoSource,
  said: string,
  { architecture, env, signal }: { architecture: string; env: Readonly<Record<string, string>>; signal: AbortSignal },
): Promise<CgoNeed | undefined> {
  const list = async (cgo: "0" | "1") => {
    const args = ["list", "-e", "-deps", "-json=ImportPath,Dir,Standard,GoFiles,CgoFiles", ...source.packages];
    const text = await goSays(args, source.folder, { env: { ...env, ...goTarget(architecture), CGO_ENABLED: cgo }, signal });
    return [...jsonValues(text ?? "")] as ListedPackage[];
  };
  const [without, withCgo] = await Promise.all([list("0"), list("1")]);
  const compiled = new Map(without.map(({ ImportPath, GoFiles = [] }) => [ImportPath, GoFiles]));
  const missing = new Set(MISSING_NAMES.flatMap((pattern) => [...said.matchAll(pattern)].map(([, name]) => name as string)));
  for (const { ImportPath, Dir = source.folder, Standard, GoFiles = [], CgoFiles = [] } of withCgo) {
    // If all named files import "C", go list prints nothing without cgo.
    const rest = compiled.get(ImportPath) ?? (ImportPath === NAMED_FILES ? [] : undefined);
    // A package that only cgo files import is not missing.
    if (Standard || rest === undefined) continue;
    const files = [...CgoFiles, ...GoFiles.filter((name) => !rest.includes(name))];
    if (files.length === 0 || rest.length > 0 && !await declareOne(files.map((name) => join(Dir, name)), missing)) continue;
    const paths = files.slice(0, MAX_FILES).map((name) => relative(source.folder, join(Dir, name)));
    return { package: packageName(ImportPath, source), files: files.length > MAX_FILES ? [...paths, "…"] : paths };
  }
  return undefined;
}

/** The name for messages: of files that are named one by one, what the user typed. */
function packageName(importPath: string, { given }: GoSource): string {
  return importPath === NAMED_FILES ? given : importPath;
}

/** Whether one of the files declares one of the names: a function, a method, a type, a variable, or a field. */
async function declareOne(paths: readonly string[], names: ReadonlySet<string>): Promise<boolean> {
  if (names.size === 0) return false;
  const declaration = new RegExp(`^\\s*(?:(?:func|type|var|const)\\s+(?:\\([^)]*\\)\\s*)?)?(?:${[...names].join("|")})\\b`, "m");
  for (const path of paths) if (declaration.test(await Deno.readTextFile(path).catch(() => ""))) return true;
  return false;
}
