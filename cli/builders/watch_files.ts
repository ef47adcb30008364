import { dirname, sep as SEPARATOR } from "node:path";
import { Settling } from "./settle.ts";
import { foldersOf, isWatched, type WatchedPaths } from "./watched_paths.ts";

/**
 * Watches the files of a build. It keeps watching between two calls of `next`, so it misses nothing that is saved during a build.
 */
export class FileWatcher implements Disposable {
  readonly #now: () => number;
  readonly #settling = new Settling();
  #paths: WatchedPaths = { files: new Set(), goFolders: new Set() };
  #watcher: Deno.FsWatcher | undefined;
  /** The watched folders, one per line. */
  #folders = "";
  #folderLost = false;
  /** Resolves when the present watcher has ended. */
  #following = Promise.resolve();
  #changed: () => void = () => {};
  #failure: unknown;

  /** @param now a monotonic clock, in milliseconds */
  constructor(now: () => number) {
    this.#now = now;
  }

  /**
   * Watches these paths from now on, instead of those before. Call it before each build, which then includes all earlier changes.
   * @throws Deno's errors if a folder cannot be watched
   */
  async watch(paths: WatchedPaths): Promise<void> {
    this.#paths = paths;
    const folders = [...new Set(foldersOf(paths).map(nearestFolder))].sort();
    const key = folders.join("\n");
    if (key === this.#folders && !this.#folderLost) return;
    const before = this.#watcher;
    // A folder that was removed and created again, as git does, has the same name but is not watched. Deno 2.9 shares watches between
    // watchers, so the old watcher must end first. In all other cases the new watcher starts first, so that no change falls between the two.
    if (this.#folderLost) {
      before?.close();
      await this.#following;
    }
    this.#watcher = folders.length > 0 ? Deno.watchFs(folders, { recursive: false }) : undefined;
    if (!this.#folderLost) before?.close();
    this.#folders = key;
    this.#folderLost = false;
    if (this.#watcher) this.#following = this.#follow(this.#watcher);
  }

  /**
   * Waits until changes are complete.
   * @returns the changed files, each once, or one of their folders that appeared or disappeared
   * @throws the signal's reason, or what ended the watch
   */
  async next(signal: AbortSignal): Promise<string[]> {
    await this.ready(signal);
    return this.#settling.take();
  }

  /** Waits until there are changes to take. @throws as {@linkcode next} does */
  async ready(signal: AbortSignal): Promise<void> {
    while (true) {
      signal.throwIfAborted();
      if (this.#failure !== undefined) throw this.#failure;
      const wait = this.#settling.wait(this.#now());
      if (wait === 0) return;
      await this.#change(wait, signal);
    }
  }

  [Symbol.dispose](): void {
    this.#watcher?.close();
    this.#watcher = undefined;
  }

  /** Waits until something changes, the time is over or the signal is aborted. */
  #change(ms: number | undefined, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", done);
        this.#changed = () => {};
        resolve();
      };
      const timer = ms === undefined ? undefined : setTimeout(done, Math.ceil(ms));
      signal.addEventListener("abort", done, { once: true });
      this.#changed = done;
    });
  }

  async #follow(watcher: Deno.FsWatcher): Promise<void> {
    try {
      for await (const { kind, paths } of watcher) {
        if (kind === "access") continue;
        for (const path of paths) {
          if (isWatched(path, this.#paths)) this.#settling.add(path, this.#now());
          if (kind === "create" && this.#paths.deepFolders?.has(dirname(path)) && isFolder(path)) this.#settling.add(path, this.#now());
          if (kind !== "modify" && isAbove(path, this.#paths)) {
            this.#settling.add(path, this.#now());
            this.#folderLost = true;
          }
        }
        this.#changed();
      }
    } catch (error) {
      if (watcher !== this.#watcher) return;
      this.#failure = error;
      this.#changed();
    }
  }
}

/** Whether this is a folder of watched files or above one. When it disappears, Deno 2.9 does not always report the files in it. */
function isAbove(path: string, paths: WatchedPaths): boolean {
  return foldersOf(paths).some((folder) => `${folder}${SEPARATOR}`.startsWith(`${path}${SEPARATOR}`));
}

/** The folder, or if it does not exist now, the nearest existing one above it. */
function nearestFolder(folder: string): string {
  for (let at = folder;; at = dirname(at)) {
    if (isFolder(at) || dirname(at) === at) return at;
  }
}

function isFolder(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}
