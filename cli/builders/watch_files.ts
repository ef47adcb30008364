import { currentFolder } from "../command/current_folder.ts";
import { dirname, relative, sep as SEPARATOR } from "node:path";
import { Alarm, LONGEST_TIMER_MS } from "../command/timers.ts";
import { upwards } from "./find_file.ts";
import { foldersOf, isWatched, type WatchedPaths } from "./watched_paths.ts";

/** A change is complete when nothing else has changed for this long: an editor saves in several steps, and a formatter may follow. */
export const QUIET_MS = 60;
/** If changes do not stop, the first one waits at most this long. */
export const LONGEST_MS = 1_000;
/** At most this many changed files are named; the others are counted. */
const MAX_NAMED = 3;

/** Gathers changes that belong together. The caller passes the time in. */
export class Settling {
  #paths = new Set<string>();
  #first = 0;
  #last = 0;

  /** @param now milliseconds */
  add(path: string, now: number): void {
    if (this.#paths.size === 0) this.#first = now;
    this.#last = now;
    this.#paths.add(path);
  }

  /** @returns milliseconds until the changes are complete, 0 if they are, undefined if there are none */
  wait(now: number): number | undefined {
    if (this.#paths.size === 0) return undefined;
    return Math.max(0, Math.min(this.#last + QUIET_MS, this.#first + LONGEST_MS) - now);
  }

  /** Takes the changed paths, each once, in order of their first change. */
  take(): string[] {
    const paths = [...this.#paths];
    this.#paths = new Set();
    return paths;
  }
}

/** Watches the files of a build. It keeps watching between two calls of `next`, so it misses nothing that is saved during a build. */
export class FileWatcher implements Disposable {
  readonly #settling = new Settling();
  #paths: WatchedPaths = { files: new Set(), folders: new Map() };
  #watcher: Deno.FsWatcher | undefined;
  /** The watched folders, one per line. */
  #folders = "";
  #folderLost = false;
  /** Resolves when the present watcher has ended. */
  #following = Promise.resolve();
  /** Rings when something changes. */
  readonly #changed = new Alarm();
  #failure: unknown;

  /** @param now a monotonic clock, in milliseconds */
  constructor(private readonly now: () => number) {}

  /** Watches these paths from now on. Call it before each build, which then includes all earlier changes. @throws Deno's errors */
  async watch(paths: WatchedPaths): Promise<void> {
    this.#paths = paths;
    // For a folder that does not exist now, the nearest existing one above it.
    const folders = [...new Set(foldersOf(paths).map((folder) => upwards(folder).find(isFolder) ?? folder))].sort();
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

  /** Waits until changes are complete. @returns files and folders, each once @throws the signal's reason, or what ended the watch */
  async next(signal: AbortSignal): Promise<string[]> {
    await this.ready(signal);
    return this.#settling.take();
  }

  /** Waits until there are changes to take. @throws as {@linkcode next} does */
  async ready(signal: AbortSignal): Promise<void> {
    while (true) {
      signal.throwIfAborted();
      if (this.#failure !== undefined) throw this.#failure;
      const wait = this.#settling.wait(this.now());
      if (wait === 0) return;
      await this.#changed.pause(wait ?? LONGEST_TIMER_MS, signal);
    }
  }

  [Symbol.dispose](): void {
    this.#watcher?.close();
    this.#watcher = undefined;
  }

  async #follow(watcher: Deno.FsWatcher): Promise<void> {
    try {
      for await (const { kind, paths } of watcher) {
        if (kind === "access") continue;
        for (const path of paths) {
          if (isWatched(path, this.#paths)) this.#settling.add(path, this.now());
          if (kind === "create" && this.#paths.deepFolders?.has(dirname(path)) && isFolder(path)) this.#settling.add(path, this.now());
          if (kind !== "modify" && isAbove(path, this.#paths)) {
            this.#settling.add(path, this.now());
            this.#folderLost = true;
          }
        }
        this.#changed.ring();
      }
    } catch (error) {
      if (watcher !== this.#watcher) return;
      this.#failure = error;
      this.#changed.ring();
    }
  }
}

/** Changed files for a message, relative to the current folder: `main.go, go.mod and 2 more`. */
export function namedFiles(paths: readonly string[]): string {
  const names = paths.slice(0, MAX_NAMED).map((path) => relative(currentFolder(), path));
  return names.join(", ") + (paths.length > MAX_NAMED ? ` and ${paths.length - MAX_NAMED} more` : "");
}

/** Whether this is a folder of watched files or above one. When it disappears, Deno 2.9 does not always report the files in it. */
function isAbove(path: string, paths: WatchedPaths): boolean {
  return foldersOf(paths).some((folder) => `${folder}${SEPARATOR}`.startsWith(`${path}${SEPARATOR}`));
}

function isFolder(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}
