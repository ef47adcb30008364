import { dirname, join, relative, resolve } from "node:path";
import { BuildError } from "./build_error.ts";
import { isFile, nearestFile } from "./find_file.ts";
import { CONFIGS, findScriptMain } from "./script_main.ts";

/** A source on this machine. All paths but `packages` are absolute. */
export type ProgramSource = GoSource | ScriptSource;

/** A Go package. */
export interface GoSource {
  readonly language: "go";
  /** As the user typed it. */
  readonly given: string;
  /** Where `go` runs; it looks for go.mod and go.work from here upwards. */
  readonly folder: string;
  /** The arguments of `go build`, relative to `folder`: files of one package, or one folder. */
  readonly packages: readonly string[];
}

/** A TypeScript or JavaScript program. */
export interface ScriptSource {
  readonly language: "script";
  /** The main module. */
  readonly main: string;
  /** The nearest deno.json, deno.jsonc or package.json from the main module upwards. */
  readonly config: string | undefined;
}

const SCRIPT = /\.(?:ts|tsx|mts|js|jsx|mjs|cjs)$/;

/** Finds a source: Go files of one package, one script, or a folder that has either. @param targets as typed @throws BuildError */
export async function findSource(targets: readonly string[], cwd: string): Promise<ProgramSource> {
  const [given = "."] = targets;
  const path = resolve(cwd, given);
  const several = targets.length > 1;
  const isGo = targets.every((target) => target.endsWith(".go"));
  // A folder may also have such a name.
  const stats = several && !isGo ? [] : await Array.fromAsync(targets, (target) => found(resolve(cwd, target), target));
  const isFolder = stats.some(({ isDirectory }) => isDirectory);
  if (several && (!isGo || isFolder)) {
    const names = targets.join(" and ");
    throw new BuildError("several", `${names} are more than one program. Name one script, one folder, or the Go files of one package`);
  }
  if (isFolder) return await fromFolder(given, path, cwd);
  if (isGo) return await goFiles(targets, cwd);
  if (!SCRIPT.test(path)) {
    const kinds = "Go (.go), TypeScript (.ts, .tsx, .mts) nor JavaScript (.js, .jsx, .mjs, .cjs), nor a folder of these";
    throw new BuildError("unknown-kind", `${given} is neither ${kinds}`);
  }
  return await script(path);
}

async function goFiles(targets: readonly string[], cwd: string): Promise<GoSource> {
  const test = targets.find((target) => target.endsWith("_test.go"));
  if (test !== undefined) throw new BuildError("go-test-file", `${test} is a test file, which go run does not accept either`);
  const paths = targets.map((target) => resolve(cwd, target));
  const [inFolder = cwd, ...others] = new Set(paths.map((path) => dirname(path)));
  if (others.length > 0) {
    const folders = `but they are in several folders: ${targets.join(", ")}`;
    throw new BuildError("several-folders", `the Go files must be of one package, ${folders}`);
  }
  const folder = await whereGoRuns(inFolder, cwd);
  return { language: "go", given: targets.join(" "), folder, packages: paths.map((path) => goPath(folder, path)) };
}

async function fromFolder(given: string, path: string, cwd: string): Promise<ProgramSource> {
  for await (const { name, isDirectory } of Deno.readDir(path)) {
    if (isDirectory || !name.endsWith(".go") || name.endsWith("_test.go")) continue;
    const folder = await whereGoRuns(path, cwd);
    return { language: "go", given, folder, packages: [goPath(folder, path)] };
  }
  const { main, looked } = await findScriptMain(path);
  if (main !== undefined) return await script(main);
  const why = await isFile(join(path, "go.mod"))
    ? "it has a go.mod but no Go files. Name the folder of the main package, such as ./cmd/NAME"
    : `it has neither Go files nor ${looked.join(", ")}. Name the file itself`;
  throw new BuildError("no-main", `no program was found in ${given}: ${why}`);
}

async function script(main: string): Promise<ScriptSource> {
  return { language: "script", main, config: await nearestFile(dirname(main), CONFIGS) };
}

/**
 * Where to run `go`: in the current folder, as `go run` does, so that errors name files as the user sees them. But if the package belongs to
 * another module, in the package's folder; `go run` would refuse it.
 */
async function whereGoRuns(folder: string, cwd: string): Promise<string> {
  const module = await nearestFile(folder, ["go.mod"]);
  return module === undefined || module === await nearestFile(cwd, ["go.mod"]) ? cwd : folder;
}

/** A path for `go`. Without "./" it would be the import path of a package. */
function goPath(folder: string, path: string): string {
  const way = relative(folder, path).replaceAll("\\", "/");
  return way.startsWith("../") || way.startsWith("/") || /^[A-Za-z]:/.test(way) ? way : `./${way}`;
}

async function found(path: string, given: string): Promise<Deno.FileInfo> {
  try {
    return await Deno.stat(path);
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotFound) && !(cause instanceof Deno.errors.NotADirectory)) throw cause;
    throw new BuildError("no-such-file", `there is no file or folder ${given}`, { cause });
  }
}
