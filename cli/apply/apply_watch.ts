import { dirname, join, relative, resolve } from "node:path";
import { type AppliedBefore, applyPrepared, type ApplyRun } from "./apply_manifests.ts";
import { BuildError } from "../builders/build_error.ts";
import { describeError } from "../describe_error.ts";
import { usageError } from "../errors.ts";
import { plainText } from "../plain_text.ts";
import { type PreparedManifests, prepareManifests } from "./prepare_manifests.ts";
import { findSource } from "../builders/program_source.ts";
import { FileWatcher } from "../builders/watch_files.ts";
import { type WatchedPaths, watchedPaths } from "../builders/watched_paths.ts";

/** So many files are named; more are counted. */
const MAX_NAMED = 3;
/** Of a folder that only its Dockerfile understands, more files are not watched. */
const MAX_FILES = 10_000;

/**
 * Applies manifests, and then what changes, with each change of a manifest or of a source, until Ctrl+C. A change that cannot be applied is
 * told, and the next one waited for.
 *
 * @throws as applying does, the first time
 */
export async function watchManifests(run: ApplyRun): Promise<void> {
  const { context, names } = run;
  const other = names.find((name) => name === "-" || /^https?:\/\//.test(name));
  if (other !== undefined) throw usageError(`--watch goes with files and folders: -f ${other} cannot be watched`);
  const signal = context.interrupted;
  using watcher = new FileWatcher(context.now);
  const applied = new Map<string, AppliedBefore>();
  let watched: WatchedPaths = await manifestPaths(names);
  const applyOnce = async () => {
    // Watched before it is read: what is saved in between is applied the next time.
    await watcher.watch(watched);
    const prepared = await prepareManifests(run);
    watched = await allPaths(names, prepared, signal);
    await watcher.watch(watched);
    await applyPrepared(run, prepared, applied);
  };
  await applyOnce();
  while (true) {
    context.stderr("Waiting for a change; Ctrl+C ends it\n");
    try {
      const changed = await watcher.next(signal);
      context.stderr(plainText(`${named(changed)} changed\n`));
      await applyOnce();
    } catch (error) {
      if (signal.aborted) return;
      context.stderr(plainText(`${describeError(error).text}\n`));
    }
  }
}

/** The manifests that the user named, and all in folders that the user named. */
async function manifestPaths(names: readonly string[]): Promise<WatchedPaths & { files: Set<string>; manifestFolders: Set<string> }> {
  const files = new Set<string>();
  const manifestFolders = new Set<string>();
  for (const name of names) {
    const path = resolve(name);
    if ((await Deno.stat(path).catch(() => undefined))?.isDirectory) manifestFolders.add(path);
    else files.add(path);
  }
  return { files, goFolders: new Set(), manifestFolders };
}

/** The manifests, and what the sources consist of that they refer to. */
async function allPaths(names: readonly string[], { files, manifests }: PreparedManifests, signal: AbortSignal): Promise<WatchedPaths> {
  const own = await manifestPaths(names);
  const goFolders = new Set<string>();
  // Those in folders of folders.
  for (const { path } of files) if (path !== undefined && !own.files.has(path)) own.manifestFolders.add(dirname(path));
  const sources = new Set(manifests.flatMap(({ references }) => references.map(({ path }) => path)));
  const found = await Promise.all([...sources].map((path) => sourcePaths(path, signal)));
  for (const source of found) {
    for (const file of source.files) own.files.add(file);
    for (const folder of source.goFolders) goFolders.add(folder);
  }
  return { files: own.files, goFolders, manifestFolders: own.manifestFolders };
}

async function sourcePaths(path: string, signal: AbortSignal): Promise<WatchedPaths> {
  try {
    const architecture = Deno.build.arch === "aarch64" ? "arm64" : "amd64";
    return await watchedPaths(await findSource([path], Deno.cwd()), { architecture, signal });
  } catch (error) {
    // A folder with a Dockerfile, or one with which something is wrong: any change may matter.
    if (!(error instanceof BuildError)) throw error;
    const files = new Set<string>();
    await addFiles(path, files);
    return { files, goFolders: new Set() };
  }
}

async function addFiles(path: string, files: Set<string>): Promise<void> {
  if (!(await Deno.stat(path).catch(() => undefined))?.isDirectory) {
    files.add(path);
    return;
  }
  for await (const { name, isSymlink } of Deno.readDir(path)) {
    if (files.size >= MAX_FILES || isSymlink || name === ".git" || name === "node_modules") continue;
    await addFiles(join(path, name), files);
  }
}

function named(paths: readonly string[]): string {
  const names = paths.slice(0, MAX_NAMED).map((path) => relative(Deno.cwd(), path));
  return names.join(", ") + (paths.length > MAX_NAMED ? ` and ${paths.length - MAX_NAMED} more` : "");
}
