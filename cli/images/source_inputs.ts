import { createHash } from "node:crypto";
import { delimiter as DELIMITER, dirname, join } from "node:path";
import { findDeno } from "../builders/bundler.ts";
import { addModule, embedRoot, isOwn, watchedPaths } from "../builders/watched_paths.ts";
import { type GoPackage, goSays, goTarget, jsonValues } from "../builders/go_command.ts";
import type { GoSource, ProgramSource, ScriptSource } from "../builders/program_source.ts";

/** Everything that decides a build's result, by name; the content is read again for each comparison. */
export interface SourceInputs {
  /** Absolute paths; a missing file counts as missing. */
  readonly files: readonly string[];
  /** Folders whose file names count. */
  readonly folders: readonly NamedFolder[];
  /** Compilers, which count by their place in PATH: another version is usually in another folder. */
  readonly programs: readonly string[];
  /** Prefixes of the environment variables that the compiler reads. */
  readonly variables: readonly string[];
}

/** A folder whose file names count: `source` means Go files and scripts in it, `all` every file below it. */
interface NamedFolder {
  readonly path: string;
  readonly names: "source" | "all";
}

/** The fields of `go list`; a new file may match one of the EmbedPatterns. */
const GO_FIELDS = "-json=Dir,Standard,GoFiles,IgnoredGoFiles,SFiles,HFiles,SysoFiles,EmbedFiles,EmbedPatterns,Module";
const SOURCE_FILE = /\.(?:go|s|S|h|syso|[cm]?[jt]sx?)$/;

/** The node's architecture, as Go names it, and what stops the compiler. */
type InputOptions = { readonly architecture: string; readonly signal: AbortSignal };

/**
 * Asks the compiler for the inputs of a source.
 *
 * @returns undefined where the compiler cannot tell: then the source has to be built
 * @throws BuildError where there is no compiler, or the signal's reason
 */
export async function sourceInputs(source: ProgramSource, options: InputOptions): Promise<SourceInputs | undefined> {
  return source.language === "go" ? await goInputs(source, options) : await scriptInputs(source, options);
}

/**
 * The digest of the inputs in their present state. Equal digests mean that a build would give the same result.
 *
 * @param digests of files that were read, by path: sources of one module share most of them
 */
export async function inputsDigest(
  inputs: SourceInputs,
  environment: Readonly<Record<string, string>>,
  digests: Map<string, Promise<string>>,
): Promise<string> {
  const fileDigest = (path: string) => {
    const known = digests.get(path) ?? contentDigest(path);
    digests.set(path, known);
    return known;
  };
  const variables = Object.entries(environment).filter(([name]) => inputs.variables.some((start) => name.startsWith(start))).sort();
  const [files, folders, programs] = await Promise.all([
    Promise.all(inputs.files.map(async (path) => [path, await fileDigest(path)])),
    Promise.all(inputs.folders.map(async ({ path, names }) => [path, await namesIn(path, names)])),
    Promise.all(inputs.programs.map((name) => placeInPath(name, environment.PATH ?? ""))),
  ]);
  return createHash("sha256").update(JSON.stringify([variables, files, folders, programs])).digest("hex");
}

/** The fields of a package that only this file reads. */
interface ListedPackage extends GoPackage {
  readonly IgnoredGoFiles?: readonly string[];
  readonly HFiles?: readonly string[];
  readonly SysoFiles?: readonly string[];
}

async function goInputs(source: GoSource, { architecture, signal }: InputOptions): Promise<SourceInputs | undefined> {
  const env = goTarget(architecture);
  const [list, places] = await Promise.all([
    goSays(["list", "-deps", GO_FIELDS, ...source.packages], source.folder, { env, signal }),
    goSays(["env", "GOENV", "GOROOT", "GOMODCACHE"], source.folder, { env, signal }),
  ]);
  if (list === undefined || places === undefined) return undefined;
  const [settings = "", goRoot = "", moduleCache = ""] = places.split("\n");
  const files = new Set<string>([settings, join(goRoot, "VERSION")]);
  const folders = new Map<string, NamedFolder["names"]>();
  for (const at of upwards(source.folder)) for (const name of ["go.mod", "go.work"]) addModule(files, join(at, name));
  for (const one of jsonValues(list) as Iterable<ListedPackage>) {
    // Vendored packages have a version and are part of the project.
    if (one.Standard || !isOwn(one) && one.Dir?.startsWith(moduleCache)) continue;
    const { Dir = source.folder, EmbedPatterns = [], Module } = one;
    // Files that a build tag excludes count too, because the tag may change.
    for (const names of [one.GoFiles, one.IgnoredGoFiles, one.SFiles, one.HFiles, one.SysoFiles, one.EmbedFiles]) {
      for (const name of names ?? []) files.add(join(Dir, name));
    }
    if (Module?.GoMod) addModule(files, Module.GoMod);
    if (!folders.has(Dir)) folders.set(Dir, "source");
    for (const pattern of EmbedPatterns) folders.set(embedRoot(Dir, pattern), "all");
  }
  const named = [...folders].map(([path, names]) => ({ path, names })).sort((a, b) => a.path < b.path ? -1 : 1);
  return { files: [...files].sort(), folders: named, programs: ["go"], variables: ["GO", "CGO"] };
}

async function scriptInputs(source: ScriptSource, options: InputOptions): Promise<SourceInputs | undefined> {
  // Only Deno can list a script's imports.
  const deno = await findDeno({ signal: options.signal });
  if (deno === undefined) return undefined;
  const { files } = await watchedPaths(source, options);
  const all = new Set(files);
  // Of every module, because members of a workspace have their own configs.
  const folders = new Set([...files].flatMap((file) => [...upwards(dirname(file))]));
  for (const at of folders) for (const name of SCRIPT_CONFIGS) all.add(join(at, name));
  for (const map of await importMaps([...all])) all.add(map);
  return {
    files: [...all].sort(),
    // A new file may become the folder's main module.
    folders: [{ path: dirname(source.main), names: "source" }],
    programs: deno === "deno" ? ["deno"] : [],
    variables: ["DENO_", "NPM_CONFIG_", "npm_config_"],
  };
}

const SCRIPT_CONFIGS = ["deno.json", "deno.jsonc", "deno.lock", "package.json", "package-lock.json", ".npmrc", "tsconfig.json"];

/** The import maps that Deno's configs name. */
async function importMaps(files: readonly string[]): Promise<string[]> {
  const configs = files.filter((path) => /\/deno\.jsonc?$/.test(path));
  const maps = await Promise.all(configs.map(async (path) => {
    const [, map] = /"importMap"\s*:\s*("(?:[^"\\]|\\.)*")/.exec(await Deno.readTextFile(path).catch(() => "")) ?? [];
    return map === undefined ? [] : join(dirname(path), JSON.parse(map));
  }));
  return maps.flat();
}

/** The file of a program in PATH, with links resolved. */
async function placeInPath(program: string, path: string): Promise<string> {
  for (const folder of path.split(DELIMITER)) {
    const found = await Deno.realPath(join(folder, program)).catch(() => undefined);
    if (found !== undefined) return found;
  }
  return "";
}

function* upwards(folder: string): Generator<string, void> {
  for (let at = folder;; at = dirname(at)) {
    yield at;
    if (dirname(at) === at) return;
  }
}

/** Empty for a file that is missing or unreadable, which the compiler will report. */
function contentDigest(path: string): Promise<string> {
  return Deno.readFile(path).then((bytes) => createHash("sha256").update(bytes).digest("hex"), () => "");
}

async function namesIn(path: string, names: NamedFolder["names"], below = ""): Promise<string[]> {
  const found: string[] = [];
  try {
    for await (const { name, isDirectory } of Deno.readDir(join(path, below))) {
      if (names === "source") {
        if (SOURCE_FILE.test(name) && !name.endsWith("_test.go")) found.push(name);
      } else if (isDirectory) {
        // Embedded files of these folders are compared by content; listing the folders would take seconds.
        if (name === ".git" || name === "node_modules") continue;
        found.push(...await namesIn(path, names, join(below, name)));
      } else {
        found.push(join(below, name));
      }
    }
  } catch {
    return found; // a file, or gone
  }
  return found.sort();
}
