import type { RunEnd } from "../../tunnel/mod.ts";
import { BuildError } from "../builders/build_error.ts";
import type { BuiltProgram } from "../builders/built_program.ts";
import { namedFiles } from "../builders/watch_files.ts";
import type { ProgramBuilds } from "./program_builds.ts";
import { NotStartedError, type RemoteRun } from "./remote_run.ts";

/** A source whose files are watched since before the first build. */
type WatchedBuilds = Pick<ProgramBuilds, "watch" | "changed" | "build">;

/**
 * Builds a watched source, and again after each change, until a build succeeds.
 * @throws BuildError for what no change of the source can end, or the reason why the wait was interrupted
 */
export async function buildUntilItWorks(programs: WatchedBuilds, say: (line: string) => void): Promise<BuiltProgram> {
  for (;;) {
    try {
      return await programs.build();
    } catch (error) {
      if (!(error instanceof BuildError) || !error.curable) throw error;
      say(`error: ${error.message}`);
      say("Waiting for a change");
    }
    say(`${namedFiles(await programs.changed())} changed: building`);
    await programs.watch();
  }
}

/** What {@link watchProgram} works with. */
export interface WatchProgramOptions {
  readonly programs: WatchedBuilds;
  /** Runs a build's program instead of the one before. @returns once it has started @throws NotStartedError */
  readonly start: (built: BuiltProgram) => Promise<unknown>;
  /** The run that started last. */
  readonly running: () => Pick<RemoteRun, "ended">;
  readonly say: (line: string) => void;
  /** Whether and when the user ended it. */
  readonly signals: { readonly asked: boolean; readonly first: Promise<void> };
}

/** Rebuilds and replaces a running program after each change, until the user ends it. @returns the end of the run that started last */
export async function watchProgram({ programs, start, running, say, signals }: WatchProgramOptions): Promise<RunEnd> {
  // Whether the program runs, has ended or is being replaced: its end is the end, and no other program follows.
  const end = signals.first.then(() => running().ended());
  const replacing = (async () => {
    for (;;) {
      const change = programs.changed();
      const first = await Promise.race([change, running().ended()]);
      if ("code" in first && !signals.asked) say(`The program ended with exit code ${first.code}: waiting for a change`);
      say(`${namedFiles(await change)} changed: building`);
      try {
        const built = await programs.build();
        // A program may continue after a signal, but no new one starts.
        if (signals.asked) return await end;
        await start(built);
      } catch (error) {
        if (error instanceof BuildError) say(`${error.message}; the previous program keeps running`);
        else if (error instanceof NotStartedError) say(`the program could not be started: ${error.message}`);
        else throw error;
      }
      await programs.watch();
    }
  })();
  return await Promise.race([end, replacing]);
}
