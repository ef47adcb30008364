import { MAX_PROGRAM_BYTES } from "../../k8s/session/objects/run_objects.ts";
import { BuildError } from "../builders/build_error.ts";
import { buildSource } from "../builders/build_program.ts";
import type { BuiltProgram } from "../builders/built_program.ts";
import type { ProgramSource } from "../builders/program_source.ts";
import { FileWatcher } from "../builders/watch_files.ts";
import { watchedPaths } from "../builders/watched_paths.ts";

/** What a {@link ProgramBuilds} works with. */
export interface ProgramBuildsOptions {
  readonly source: ProgramSource;
  /** The node's, in Go's words; it may still be being asked for. */
  readonly architecture: Promise<string>;
  /** Gets what the compiler says. */
  readonly stderr: (text: string) => void;
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
  readonly signal: AbortSignal;
}

/** Builds a source as often as it is asked to, one build after the other, and knows when it has changed. */
export class ProgramBuilds implements AsyncDisposable {
  readonly #options: ProgramBuildsOptions;
  readonly #watcher: FileWatcher;
  /** The last one; those before are removed by whoever had them. */
  #building: Promise<BuiltProgram> | undefined;

  constructor(options: ProgramBuildsOptions) {
    this.#options = options;
    this.#watcher = new FileWatcher(options.now);
    options.architecture.catch(() => {});
  }

  /** What is saved from now on is told by {@link changed}; the files that a source consists of may change with each change. @throws BuildError */
  async watch(): Promise<void> {
    await this.#watcher.watch(await watchedPaths(this.#options.source, this.#options));
  }

  /** Waits for changes of watched files to be over. @returns their paths @throws the signal's reason, or what ended the watch */
  async changed(): Promise<string[]> {
    return await this.#watcher.next(this.#options.signal);
  }

  /** @returns the program, which the caller disposes of @throws BuildError, also for a program that is too large */
  async build(): Promise<BuiltProgram> {
    this.#building = buildSource(this.#options.source, this.#options);
    const built = await this.#building;
    if (built.size <= MAX_PROGRAM_BYTES) return built;
    await built.dispose();
    throw new BuildError({ is: "too-large", bytes: built.size, most: MAX_PROGRAM_BYTES });
  }

  /** Once the signal is aborted: what was being built is removed too. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#watcher[Symbol.dispose]();
    await this.#building?.then((built) => built.dispose(), () => {});
  }
}
