import { join, relative } from "node:path";
import { goPackages, goTarget } from "./go_command.ts";
import type { GoSource } from "./program_source.ts";

/** What to do about a program that needs cgo. */
export const CGO_ADVICE = `kurun builds Go programs with CGO_ENABLED=0.
  Use a package in pure Go instead, or build an image with a Dockerfile that runs go build with CGO_ENABLED=1 (kurun build, kurun apply)`;

/** How the compiler reports missing names: `undefined: a.B`, `a.B undefined`, `unknown field B`, `missing method B`. */
const MISSING_NAMES = [/undefined: (?:\w+\.)?(\w+)/g, /\.(\w+) undefined/g, /(?:unknown field|missing method) (\w+)/g];
/** Go's import path for files that are named one by one. */
const NAMED_FILES = "command-line-arguments";
/** The most files that are named. */
const MAX_FILES = 3;

/**
 * Finds out whether a build failed because it ran without cgo. `go list` tells for each package which files are compiled only with cgo. The
 * build needs them if the package has no other files, or if they declare a name that `go build` said is missing.
 * @returns which package needs cgo, and in which files, for the user @throws the signal's reason
 */
export async function cgoNeeded(
  source: GoSource,
  said: string,
  { architecture, env, signal }: { architecture: string; env: Readonly<Record<string, string>>; signal: AbortSignal },
): Promise<string | undefined> {
  const list = (cgo: "0" | "1") =>
    goPackages(source, "ImportPath,Dir,Standard,GoFiles,CgoFiles", {
      env: { ...env, ...goTarget(architecture), CGO_ENABLED: cgo },
      signal,
    });
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
    // For files that are named one by one, the name is what the user typed.
    const name = ImportPath === NAMED_FILES ? source.given : ImportPath;
    return `${name} needs cgo (${paths.join(", ")}${files.length > MAX_FILES ? ", …" : ""})`;
  }
  return undefined;
}

/** Whether one of the files declares one of the names: a function, a method, a type, a variable, or a field. */
async function declareOne(paths: readonly string[], names: ReadonlySet<string>): Promise<boolean> {
  if (names.size === 0) return false;
  const declaration = new RegExp(`^\\s*(?:(?:func|type|var|const)\\s+(?:\\([^)]*\\)\\s*)?)?(?:${[...names].join("|")})\\b`, "m");
  for (const path of paths) if (declaration.test(await Deno.readTextFile(path).catch(() => ""))) return true;
  return false;
}
