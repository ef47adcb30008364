import { createHash } from "node:crypto";
import { delimiter as DELIMITER, dirname, join } from "node:path";
import { findDeno } from "../builders/bundler.ts";
import { upwards } from "../builders/find_file.ts";
import { goSays, goTarget } from "../builders/go_command.ts";
import { addModule, isOwn, MAX_FOLDERS, watchedPaths } from "../builders/watched_paths.ts";
import type { GoSource, ProgramSource, ScriptSource } from "../builders/program_source.ts";

/** Everything that decides a build's result, by name; the content is read again for each comparison. */
export interface SourceInputs {
  /** Absolute paths; a missing file counts as missing. */
  readonly files: readonly string[];
  /** Folders in which names count that match a regular expression. */
  readonly folders: readonly (readonly [path: string, names: string])[];
  /** Compilers, which count by their place in PATH: another version is usually in another folder. */
  readonly programs: readonly string[];
  /** Prefixes of the environment variables that the compiler reads. */
  readonly variables: readonly string[];
}

/** The names of Go files and scripts: a new one may become a folder's program. */
const SOURCE_NAME = /(?:(?<!_test)\.go|\.[cm]?[jt]sx?)$/;

/** The node's architecture, as Go names it, and what stops the compiler. */
type InputOptions = { readonly architecture: string; readonly signal: AbortSignal };

/**
 * Asks the compiler for the inputs of a source. If it does not compile, they may be incomplete.
 * @returns undefined if they cannot be found out: then the source has to be built
 * @throws BuildError if there is no compiler, or the signal's reason
 */
export async function sourceInputs(source: ProgramSource, options: InputOptions): Promise<SourceInputs | undefined> {
  return source.language === "go" ? await goInputs(source, options) : await scriptInputs(source, options);
}

/**
 * The digest of the inputs in their present state. Equal digests mean that a build would give the same result.
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
    Promise.all(inputs.folders.map(async ([path, names]) => [path, await namesIn(path, new RegExp(names))])),
    Promise.all(inputs.programs.map((name) => placeInPath(name, environment.PATH ?? ""))),
  ]);
  return createHash("sha256").update(JSON.stringify([variables, files, folders, programs])).digest("hex");
}

async function goInputs(source: GoSource, options: InputOptions): Promise<SourceInputs | undefined> {
  const env = goTarget(options.architecture);
  const places = await goSays(["env", "GOENV", "GOROOT", "GOMODCACHE"], source.folder, { env, signal: options.signal });
  if (places === undefined) return undefined;
  const [settings = "", goRoot = "", moduleCache = ""] = places.split("\n");
  // Vendored packages have a version and are part of the project.
  const { files, folders } = await watchedPaths(
    source,
    options,
    (one) => !one.Standard && (isOwn(one) || !one.Dir?.startsWith(moduleCache)),
  );
  // There may be more folders of embedded files than were listed.
  if ([...folders.values()].filter((names) => names.test("")).length >= MAX_FOLDERS) return undefined;
  const all = new Set([settings, join(goRoot, "VERSION"), ...files]);
  for (const at of upwards(source.folder)) for (const name of ["go.mod", "go.work"]) addModule(all, join(at, name));
  const named = [...folders].map(([path, names]) => [path, names.source] as const).sort(([a], [b]) => a < b ? -1 : 1);
  return { files: [...all].sort(), folders: named, programs: ["go"], variables: ["GO", "CGO"] };
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
    folders: [[dirname(source.main), SOURCE_NAME.source]],
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

/** Empty for a file that is missing or unreadable, which the compiler will report. */
function contentDigest(path: string): Promise<string> {
  return Deno.readFile(path).then((bytes) => createHash("sha256").update(bytes).digest("hex"), () => "");
}

/** Empty for a folder that is missing. */
async function namesIn(path: string, names: RegExp): Promise<string[]> {
  try {
    return (await Array.fromAsync(Deno.readDir(path), ({ name }) => name)).filter((name) => names.test(name)).sort();
  } catch {
    return [];
  }
}
