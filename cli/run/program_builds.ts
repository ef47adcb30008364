import { MAX_PROGRAM_BYTES } from "../../k8s/session/objects/run_objects.ts";
import { BuildError } from "../builders/build_error.ts";
import { buildSource } from "../builders/build_program.ts";
import type { BuildOptions, BuiltProgram } from "../builders/built_program.ts";
import type { ProgramSource } from "../builders/program_source.ts";
import { FileWatcher } from "../builders/watch_files.ts";
import { watchedPaths } from "../builders/watched_paths.ts";
import type { SentProgram } from "./remote_run.ts";

const READ_BYTES = 1024 * 1024;

/** Builds a source, one build after the other, and knows when its files have changed. */
export class ProgramBuilds implements AsyncDisposable {
  readonly #watcher: FileWatcher;
  /** The last build. Whoever got an earlier one disposes of it. */
  #building: Promise<BuiltProgram> | undefined;

  /** @param now a monotonic clock, in milliseconds */
  constructor(private readonly source: ProgramSource, private readonly options: BuildOptions, now: () => number) {
    this.#watcher = new FileWatcher(now);
    Promise.resolve(options.architecture).catch(() => {});
  }

  /** Watches the source's files from now on. Call it before each build: each change may add files to the source. @throws BuildError */
  async watch(): Promise<void> {
    await this.#watcher.watch(await watchedPaths(this.source, this.options));
  }

  /** Waits for the next change of the watched files. @returns their paths @throws the signal's reason, or what ended the watch */
  async changed(): Promise<string[]> {
    return await this.#watcher.next(this.options.signal);
  }

  /** @returns the program, which the caller disposes of @throws BuildError, also if the program is too large */
  async build(): Promise<BuiltProgram> {
    this.#building = buildSource(this.source, this.options);
    const built = await this.#building;
    if (built.size <= MAX_PROGRAM_BYTES) return built;
    await built.dispose();
    const [size, most] = [built.size, MAX_PROGRAM_BYTES].map((bytes) => Math.round(bytes / 1e6));
    throw new BuildError("too-large", `the program is ${size} MB; the limit is ${most} MB`);
  }

  /** Call it once the signal is aborted: it removes an unfinished build too. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#watcher[Symbol.dispose]();
    await this.#building?.then((built) => built.dispose(), () => {});
  }
}

/** Sends a built program from its file. @param taken called with the number of bytes that the Pod has */
export function sentProgram({ path, size, sha256 }: BuiltProgram, taken: (bytes: number) => void): SentProgram {
  const read = async (offset: number) => {
    if (offset >= size) return null;
    // The file is opened anew for each read: two connections may read it at the same time.
    using file = await Deno.open(path);
    await file.seek(offset, Deno.SeekMode.Start);
    const buffer = new Uint8Array(READ_BYTES);
    const length = await file.read(buffer);
    return length === null ? null : buffer.subarray(0, length);
  };
  return { size, sha256, taken, read };
}
