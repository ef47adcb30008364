import { basename, dirname, isAbsolute, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { BuildOptions } from "./built_program.ts";
import { findDeno } from "./bundler.ts";
import { type GoPackage, goPackages, goSays, goTarget } from "./go_command.ts";
import type { GoSource, ProgramSource, ScriptSource } from "./program_source.ts";
import { outputOf } from "./run_compiler.ts";
import { nodeFlags } from "./script_builder.ts";

/** The user's own files that a build depends on, as absolute paths. Fetched packages and the standard library are left out. */
export interface WatchedPaths {
  /** Files; they may not exist yet. */
  readonly files: ReadonlySet<string>;
  /** Folders in which new files with matching names count. */
  readonly folders: ReadonlyMap<string, RegExp>;
  /** Folders in which any new folder counts. */
  readonly deepFolders?: ReadonlySet<string>;
}

/** Files may be for one architecture only. */
type WatchOptions = Pick<BuildOptions, "architecture" | "signal">;

/**
 * Asks the compiler for the files of a source, which need not compile. Each change may change the imports, so ask again after each build.
 * @param counts whether the files of a Go package count
 * @throws BuildError if there is no compiler, or the signal's reason
 */
export async function watchedPaths(
  source: ProgramSource,
  options: WatchOptions,
  counts: (one: GoPackage) => boolean = isOwn,
): Promise<WatchedPaths> {
  return source.language === "go" ? await goPaths(source, options, counts) : await scriptPaths(source, options);
}

/** Whether a change of this file changes the build. */
export function isWatched(path: string, { files, folders }: WatchedPaths): boolean {
  return files.has(path) || (folders.get(dirname(path))?.test(basename(path)) ?? false);
}

/** The folders to watch. Editors save by replacing a file, which would end a watch on the file itself. */
export function foldersOf({ files, folders, deepFolders = new Set() }: WatchedPaths): string[] {
  return [...new Set([...folders.keys(), ...deepFolders, ...[...files].map((path) => dirname(path))])].sort();
}

/** The names of files that belong to the Go package of their folder. */
export const GO_NAME = /(?:(?<!_test)\.go|\.(?:s|S|h|syso))$/;
/** Matches any name. */
export const ANY_NAME = /^/;
/** The most folders of one tree that are watched; systems have limits. */
export const MAX_FOLDERS = 1_000;
/** What to ask go list for. Files that a build tag excludes count too, because the tag may change. */
const GO_FIELDS = "Dir,Standard,GoFiles,IgnoredGoFiles,SFiles,HFiles,SysoFiles,EmbedFiles,EmbedPatterns,Module";

/** Adds names whose files count in a folder. */
export function addFolder(folders: Map<string, RegExp>, path: string, names: RegExp): void {
  const before = folders.get(path);
  folders.set(path, before && before.source !== names.source ? new RegExp(`${before.source}|${names.source}`) : names);
}

/** A folder and all folders below it, without .git, node_modules and symbolic links. Empty if the path is not a folder. */
export async function foldersBelow(path: string, found: string[] = []): Promise<string[]> {
  try {
    const entries = Deno.readDir(path);
    const inner: string[] = [];
    for await (const { name, isDirectory } of entries) if (isDirectory && name !== ".git" && name !== "node_modules") inner.push(name);
    found.push(path);
    for (const name of inner) if (found.length < MAX_FOLDERS) await foldersBelow(join(path, name), found);
  } catch {
    // It is a file, or it has disappeared.
  }
  return found;
}

async function goPaths(
  source: GoSource,
  { architecture, signal }: WatchOptions,
  counts: (one: GoPackage) => boolean,
): Promise<WatchedPaths> {
  const env = goTarget(await architecture);
  const [list, places] = await Promise.all([
    goPackages(source, GO_FIELDS, { env, signal }),
    goSays(["env", "GOMOD", "GOWORK"], source.folder, { env, signal }),
  ]);
  // Outside a module, Go prints the null device.
  const configs = (places ?? "").split("\n").filter((path) => /go\.(?:mod|work)$/.test(path));
  const named = source.packages.map((path) => resolve(source.folder, path));
  const files = new Set(named.filter((path) => path.endsWith(".go")));
  const folders = new Map(named.filter((path) => !path.endsWith(".go")).map((path) => [path, GO_NAME]));
  for (const config of configs) addModule(files, config);
  for (const one of list) {
    if (!counts(one)) continue;
    const { Dir = source.folder, EmbedPatterns = [], Module } = one;
    for (const names of [one.GoFiles, one.IgnoredGoFiles, one.SFiles, one.HFiles, one.SysoFiles, one.EmbedFiles]) {
      for (const name of names ?? []) files.add(isAbsolute(name) ? name : join(Dir, name));
    }
    if (Module?.GoMod) addModule(files, Module.GoMod);
    // Files that are named one by one are the whole package: others in the folder belong to another program.
    if (!named.some((path) => path.endsWith(".go") && dirname(path) === Dir)) addFolder(folders, Dir, GO_NAME);
    for (const pattern of EmbedPatterns) await addEmbedded(folders, Dir, pattern);
  }
  return { files, folders };
}

/** Adds the folders in which new files may match a go:embed pattern. */
async function addEmbedded(folders: Map<string, RegExp>, folder: string, pattern: string): Promise<void> {
  const root = embedRoot(folder, pattern);
  if (root !== folder || /[/[\\]/.test(pattern)) {
    for (const path of await foldersBelow(root)) addFolder(folders, path, ANY_NAME);
  } else {
    const names = pattern.replace(/^all:/, "").replace(/[.+^${}()|]/g, "\\$&").replaceAll("*", ".*").replaceAll("?", ".");
    addFolder(folders, folder, new RegExp(`^${names}$`));
  }
}

/** The folder that has all files which a go:embed pattern may match: `static` for `all:static/*.html`. */
export function embedRoot(folder: string, pattern: string): string {
  const parts = pattern.replace(/^all:/, "").split("/");
  const fixed = parts.slice(0, parts.findIndex((part, at) => /[*?[\\]/.test(part) || at === parts.length - 1));
  const last = parts.at(-1) as string;
  // A pattern without wildcards names a file or a whole folder.
  return join(folder, ...fixed, ...parts.length === fixed.length + 1 && !/[*?[\\]/.test(last) ? [last] : []);
}

/** Adds a go.mod or go.work and its file of checksums. */
export function addModule(files: Set<string>, path: string): void {
  files.add(path).add(path.endsWith("go.mod") ? path.replace(/mod$/, "sum") : `${path}.sum`);
}

/** Whether a package is the user's own: of the main module, another module of the workspace, or one that is replaced by a folder. */
export function isOwn({ Standard, Module }: Pick<GoPackage, "Standard" | "Module">): boolean {
  if (Standard) return false;
  if (!Module) return true;
  return Module.Replace ? !Module.Replace.Version : !Module.Version;
}

async function scriptPaths(source: ScriptSource, { signal }: WatchOptions): Promise<WatchedPaths> {
  const files = new Set([source.main, ...source.config ? [source.config] : []]);
  const deno = await findDeno({ signal });
  if (deno !== undefined) {
    const args = ["info", "--json", ...nodeFlags(source), source.main];
    const env = { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" };
    const { text } = await outputOf({ program: deno, args, folder: dirname(source.main), env, signal });
    for (const path of localModules(text)) files.add(path);
  }
  return { files, folders: new Map() };
}

/** @param info the output of `deno info --json` @returns the files of the user's own modules, also of missing ones */
export function localModules(info: string): string[] {
  if (info.trim() === "") return [];
  const { modules = [] } = JSON.parse(info) as { modules?: readonly { readonly specifier: string }[] };
  return modules.map(({ specifier }) => specifier)
    .filter((specifier) => specifier.startsWith("file:") && !specifier.includes("/node_modules/"))
    .map((specifier) => fileURLToPath(specifier));
}
