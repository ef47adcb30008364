import { basename, dirname, isAbsolute, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { findDeno } from "./bundler.ts";
import { goSays, goTarget, jsonValues } from "./go_command.ts";
import type { GoSource, ProgramSource, ScriptSource } from "./program_source.ts";
import { nodeFlags } from "./script_builder.ts";

/** What a build depends on, of the user's own; all absolute. Packages that were fetched and the standard library are left out. */
export interface WatchedPaths {
  /** They may not exist yet. */
  readonly files: ReadonlySet<string>;
  /** Folders of Go packages, where a new Go file belongs to the package. */
  readonly goFolders: ReadonlySet<string>;
  /** Other folders in which new files count, by how these are called. */
  readonly folders?: ReadonlyMap<string, RegExp>;
  /** Folders in which new folders count, whatever they are called. */
  readonly deepFolders?: ReadonlySet<string>;
}

/** What `watchedPaths` needs to know. */
export interface WatchOptions {
  /** The node's, in Go's words: files may be for one architecture alone. */
  readonly architecture: string | PromiseLike<string>;
  readonly signal: AbortSignal;
}

/**
 * Asks the compiler which files a source consists of now; also of a source that does not compile. What is imported may change with every
 * change, so ask again after each build.
 *
 * @throws BuildError where there is no compiler, or the signal's reason
 */
export async function watchedPaths(source: ProgramSource, options: WatchOptions): Promise<WatchedPaths> {
  return source.language === "go" ? await goPaths(source, options) : await scriptPaths(source, options);
}

/** Whether a change of this file changes what is built. */
export function isWatched(path: string, { files, goFolders, folders }: WatchedPaths): boolean {
  if (folders?.get(dirname(path))?.test(basename(path))) return true;
  return files.has(path) || path.endsWith(".go") && !path.endsWith("_test.go") && goFolders.has(dirname(path));
}

/** What a folder's manifests are called, as kubectl has it. */
export const MANIFEST_NAME = /\.(?:ya?ml|json)$/;

/** The folders to watch: files are replaced by other files of their name when editors save, so a watch on the file itself would end. */
export function foldersOf({ files, goFolders, folders = new Map(), deepFolders = new Set() }: WatchedPaths): string[] {
  return [...new Set([...goFolders, ...folders.keys(), ...deepFolders, ...[...files].map((path) => dirname(path))])].sort();
}

/** Any name. */
export const ANY_NAME = /^/;
/** So many folders are watched of one tree; systems have limits. */
const MAX_FOLDERS = 1_000;

/** Lets files of these names count in a folder, beside others that do already. */
export function addFolder(folders: Map<string, RegExp>, path: string, names: RegExp): void {
  const before = folders.get(path);
  folders.set(path, before && before.source !== names.source ? new RegExp(`${before.source}|${names.source}`) : names);
}

/** A folder and all below it, but for what git and npm keep there and what is behind links; none where it is no folder. */
export async function foldersBelow(path: string, found: string[] = []): Promise<string[]> {
  try {
    const entries = Deno.readDir(path);
    const inner: string[] = [];
    for await (const { name, isDirectory } of entries) if (isDirectory && name !== ".git" && name !== "node_modules") inner.push(name);
    found.push(path);
    for (const name of inner) if (found.length < MAX_FOLDERS) await foldersBelow(join(path, name), found);
  } catch {
    // A file, or gone meanwhile.
  }
  return found;
}

/** What `go list -json` says of a package, as far as it matters here. */
export interface GoPackage {
  readonly Dir?: string;
  readonly Standard?: boolean;
  readonly GoFiles?: readonly string[];
  readonly EmbedFiles?: readonly string[];
  readonly EmbedPatterns?: readonly string[];
  readonly SFiles?: readonly string[];
  readonly Module?: { readonly Version?: string; readonly GoMod?: string; readonly Replace?: { readonly Version?: string } };
}

async function goPaths(source: GoSource, { architecture, signal }: WatchOptions): Promise<WatchedPaths> {
  const env = goTarget(await architecture);
  const fields = "-json=Dir,Standard,GoFiles,SFiles,EmbedFiles,EmbedPatterns,Module";
  const [list, places] = await Promise.all([
    // -e: of a package that does not compile it lists what it can.
    goSays(["list", "-e", "-deps", fields, ...source.packages], source.folder, { env, signal }),
    goSays(["env", "GOMOD", "GOWORK"], source.folder, { env, signal }),
  ]);
  // Go prints its null device outside of a module.
  const configs = (places ?? "").split("\n").filter((path) => /go\.(?:mod|work)$/.test(path));
  const named = source.packages.map((path) => resolve(source.folder, path));
  const files = new Set(named.filter((path) => path.endsWith(".go")));
  const goFolders = new Set(named.filter((path) => !path.endsWith(".go")));
  const folders = new Map<string, RegExp>();
  for (const config of configs) addConfig(files, config);
  for (const one of jsonValues(list ?? "") as Iterable<GoPackage>) {
    if (!isOwn(one)) continue;
    const { Dir = source.folder, GoFiles = [], SFiles = [], EmbedFiles = [], EmbedPatterns = [], Module } = one;
    for (const name of [...GoFiles, ...SFiles, ...EmbedFiles]) files.add(isAbsolute(name) ? name : join(Dir, name));
    if (Module?.GoMod) addConfig(files, Module.GoMod);
    // Named files are the whole package: others beside them are of another program.
    if (!named.some((path) => path.endsWith(".go") && dirname(path) === Dir)) goFolders.add(Dir);
    for (const pattern of EmbedPatterns) await addEmbedded(folders, Dir, pattern);
  }
  return { files, goFolders, folders };
}

/** Lets new files count that a pattern of go:embed takes. */
async function addEmbedded(folders: Map<string, RegExp>, folder: string, pattern: string): Promise<void> {
  const root = embedRoot(folder, pattern);
  if (root !== folder) {
    for (const path of await foldersBelow(root)) addFolder(folders, path, ANY_NAME);
  } else if (!/[/[\\]/.test(pattern)) {
    const names = pattern.replace(/^all:/, "").replace(/[.+^${}()|]/g, "\\$&").replaceAll("*", ".*").replaceAll("?", ".");
    addFolder(folders, folder, new RegExp(`^${names}$`));
  }
}

/** The folder below which all that a pattern of go:embed may match lies: `all:static/*.html` is in static. */
export function embedRoot(folder: string, pattern: string): string {
  const parts = pattern.replace(/^all:/, "").split("/");
  const fixed = parts.slice(0, parts.findIndex((part, at) => /[*?[\\]/.test(part) || at === parts.length - 1));
  const last = parts.at(-1) as string;
  // A pattern without wildcards is a file or a whole folder.
  return join(folder, ...fixed, ...parts.length === fixed.length + 1 && !/[*?[\\]/.test(last) ? [last] : []);
}

/** A go.mod or go.work, and the file of checksums that belongs to it. */
function addConfig(files: Set<string>, path: string): void {
  files.add(path).add(path.endsWith("go.mod") ? path.replace(/mod$/, "sum") : `${path}.sum`);
}

/** Whether a package's source is the user's: of the module itself, of another in the workspace, or of one replaced by a folder. */
export function isOwn({ Standard, Module }: GoPackage): boolean {
  if (Standard) return false;
  if (!Module) return true;
  return Module.Replace ? !Module.Replace.Version : !Module.Version;
}

async function scriptPaths(source: ScriptSource, { signal }: WatchOptions): Promise<WatchedPaths> {
  const files = new Set([source.main, ...source.config ? [source.config] : []]);
  const deno = await findDeno({ signal });
  if (deno !== undefined) {
    const { stdout } = await new Deno.Command(deno, {
      args: ["info", "--json", ...nodeFlags(source), source.main],
      cwd: dirname(source.main),
      env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
      stdin: "null",
      stderr: "null",
      signal,
    }).output();
    signal.throwIfAborted();
    for (const path of localModules(new TextDecoder().decode(stdout))) files.add(path);
  }
  return { files, goFolders: new Set() };
}

/** @param info what `deno info --json` printed @returns the modules in files that are the user's own, those that are missing too */
export function localModules(info: string): string[] {
  if (info.trim() === "") return [];
  const { modules = [] } = JSON.parse(info) as { modules?: readonly { readonly specifier: string }[] };
  return modules.map(({ specifier }) => specifier)
    .filter((specifier) => specifier.startsWith("file:") && !specifier.includes("/node_modules/"))
    .map((specifier) => fileURLToPath(specifier));
}
