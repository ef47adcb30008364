import { relative } from "node:path";
import type { RunEnd } from "../../tunnel/mod.ts";
import { BuildError } from "../builders/build_error.ts";
import type { BuiltProgram } from "../builders/built_program.ts";
import type { Context } from "../context.ts";
import { describeBuildError } from "../builders/describe_build_error.ts";
import type { ProgramSource } from "../builders/program_source.ts";
import type { ClientRun } from "./run_client.ts";
import { NotStartedError } from "./run_client.ts";
import { FileWatcher } from "../builders/watch_files.ts";
import { watchedPaths } from "../builders/watched_paths.ts";

/** So many files are named; more are counted. */
const MAX_NAMED = 3;

/** What {@link watchProgram} works with. */
export interface WatchProgramOptions {
  readonly context: Context;
  readonly source: ProgramSource;
  readonly architecture: Promise<string>;
  /** The run that goes on now. */
  readonly first: ClientRun;
  readonly build: () => Promise<BuiltProgram>;
  /** Runs what was built in place of the one before. */
  readonly start: (built: BuiltProgram) => ClientRun;
  readonly say: (line: string) => void;
  /** Knows whether the user wants an end. */
  readonly signals: { readonly asked: boolean; readonly first: Promise<void> };
  readonly signal: AbortSignal;
}

/** Builds and runs anew with each change, until the user ends it. @returns the last run's end */
export async function watchProgram(options: WatchProgramOptions): Promise<RunEnd> {
  const { context, source, architecture, say, signal } = options;
  using watcher = new FileWatcher(context.now);
  const look = async () => watcher.watch(await watchedPaths(source, { architecture, signal }));
  await look();
  let run = options.first;
  for (;;) {
    const next = await nextChange(watcher, run, options);
    if ("end" in next) return next.end;
    say(`${named(next.changed)} changed: building`);
    try {
      const built = await options.build();
      run = options.start(built);
      await run.started;
    } catch (error) {
      if (error instanceof BuildError) say(`${describeBuildError(error)}; the program before goes on`);
      else if (error instanceof NotStartedError) say(`the program could not be started: ${error.message}`);
      else throw error;
    }
    await look();
  }
}

async function nextChange(
  watcher: FileWatcher,
  run: ClientRun,
  { say, signals, signal }: WatchProgramOptions,
): Promise<{ readonly changed: string[] } | { readonly end: RunEnd }> {
  const change = watcher.next(signal).then((changed) => ({ changed }));
  change.catch(() => {});
  const end = run.ended().then((end) => ({ end }), () => new Promise<never>(() => {}));
  const first = await Promise.race([change, end]);
  if ("changed" in first) return first;
  if (signals.asked) return first;
  say(`The program ended with exit code ${first.end.code}: waiting for a change`);
  return await Promise.race([change, signals.first.then(() => first)]);
}

function named(paths: readonly string[]): string {
  const names = paths.slice(0, MAX_NAMED).map((path) => relative(Deno.cwd(), path));
  return names.join(", ") + (paths.length > MAX_NAMED ? ` and ${paths.length - MAX_NAMED} more` : "");
}
