import { dirname, resolve } from "node:path";
import { type AppliedObjects, applyPrepared } from "./apply_manifests.ts";
import { BuildError } from "../builders/build_error.ts";
import { BuildErrors } from "../images/build_errors.ts";
import { findContainerfile } from "../builders/containerfile_builder.ts";
import { currentFolder } from "../command/current_folder.ts";
import { ExitCode, usageError, UserError } from "../command/errors.ts";
import { ManifestError } from "../../k8s/manifests/manifest_error.ts";
import { type ApplyRun, type PreparedManifests, prepareManifests } from "./prepare_manifests.ts";
import { findSource } from "../builders/program_source.ts";
import { FileWatcher, namedFiles } from "../builders/watch_files.ts";
import { addFolder, ANY_NAME, foldersBelow, type WatchedPaths, watchedPaths } from "../builders/watched_paths.ts";
import { MANIFEST_NAME } from "../manifests/manifest_files.ts";

/**
 * Applies manifests, and then what changes with each change of a manifest or of its source, until Ctrl+C. What cannot be read, built or
 * applied is reported, and the next change awaited.
 *
 * @throws as applying does, the first time, where no change of a file could help
 */
export async function watchManifests(run: ApplyRun): Promise<void> {
  const { context, names, recursive } = run;
  const other = names.find((name) => name === "-" || /^https?:\/\//.test(name));
  if (other !== undefined) throw usageError(`--watch can only watch files and folders, not -f ${other}`);
  const signal = context.interrupted;
  using watcher = new FileWatcher(context.now);
  const applied: AppliedObjects = new Map();
  let watched: WatchedPaths = await manifestPaths(names, recursive);
  const applyOnce = async () => {
    // Watch before reading: a change in between is then applied next time.
    await watcher.watch(watched);
    const prepared = await prepareManifests(run);
    watched = await allPaths(await manifestPaths(names, recursive), prepared, signal);
    await watcher.watch(watched);
    await untilChange(watcher, signal, (changed) => applyPrepared(run, prepared, changed, applied));
  };
  for (let first = true;; first = false) {
    try {
      if (!first) {
        const changed = await watcher.next(signal);
        context.stderr(`${namedFiles(changed)} changed\n`);
      }
      await applyOnce();
    } catch (error) {
      if (signal.aborted) return;
      if (first && !isOfFiles(error)) throw error;
      context.stderr(`${context.describe(error).text}\n`);
    }
    context.stderr("Waiting for a change; press Ctrl+C to stop\n");
  }
}

/** Whether changing a file may fix the error. It cannot if the cluster is unreachable or the command line is wrong. */
function isOfFiles(error: unknown): boolean {
  const isFailure = error instanceof UserError && error.exitCode === ExitCode.failed;
  return isFailure || error instanceof ManifestError || error instanceof BuildError || error instanceof BuildErrors;
}

/** Runs `apply` with a signal that the next change aborts: a rollout may never become ready, and the change may fix it. */
async function untilChange(watcher: FileWatcher, signal: AbortSignal, apply: (changed: AbortSignal) => Promise<void>): Promise<void> {
  const changed = new AbortController();
  const ended = new AbortController();
  const listening = watcher.ready(AbortSignal.any([signal, ended.signal])).then(() => changed.abort(), () => {});
  try {
    await apply(changed.signal);
  } finally {
    ended.abort();
    await listening;
  }
}

interface ManifestPaths extends WatchedPaths {
  readonly files: Set<string>;
  readonly folders: Map<string, RegExp>;
}

/** The manifests that the user named, and those in the folders that the user named. */
async function manifestPaths(names: readonly string[], recursive: boolean): Promise<ManifestPaths> {
  const files = new Set<string>();
  const folders = new Map<string, RegExp>();
  const deepFolders = new Set<string>();
  for (const name of names) {
    const path = resolve(name);
    if (!(await Deno.stat(path).catch(() => undefined))?.isDirectory) {
      files.add(path);
      continue;
    }
    for (const folder of recursive ? await foldersBelow(path) : [path]) {
      addFolder(folders, folder, MANIFEST_NAME);
      if (recursive) deepFolders.add(folder);
    }
  }
  return { files, folders, deepFolders };
}

/** The manifests, and the files of the sources they refer to. */
async function allPaths(own: ManifestPaths, { manifests }: PreparedManifests, signal: AbortSignal): Promise<WatchedPaths> {
  const sources = new Set(manifests.flatMap(({ references }) => references.map(({ path }) => path)));
  for (const source of (await Promise.all([...sources].map((path) => sourcePaths(path, signal)))).flat()) {
    for (const file of source.files) own.files.add(file);
    for (const [folder, names] of source.folders) addFolder(own.folders, folder, names);
  }
  return own;
}

/** The files of a source. Those of a Go program are for each architecture that nodes may have: it may import packages for one alone. */
export async function sourcePaths(path: string, signal: AbortSignal): Promise<WatchedPaths[]> {
  try {
    const source = await findSource([path], currentFolder());
    const architectures = source.language === "go" ? ["amd64", "arm64"] : ["amd64"];
    return await Promise.all(architectures.map((architecture) => watchedPaths(source, { architecture, signal })));
  } catch (error) {
    // For a folder with a Dockerfile, or a broken one, any change may matter.
    if (!(error instanceof BuildError)) throw error;
    const context = await findContainerfile(path) === path ? dirname(path) : path;
    return [{ files: new Set([path]), folders: new Map((await foldersBelow(context)).map((folder) => [folder, ANY_NAME])) }];
  }
}
