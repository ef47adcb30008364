import { relative } from "node:path";
import type { RunEnd } from "../../tunnel/mod.ts";
import { BuildError } from "../builders/build_error.ts";
import type { BuiltProgram } from "../builders/built_program.ts";
import { describeBuildError } from "../builders/describe_build_error.ts";
import type { ProgramBuilds } from "./program_builds.ts";
import type { ClientRun } from "./run_client.ts";
import { NotStartedError } from "./run_client.ts";

/** So many files are named; more are counted. */
const MAX_NAMED = 3;

/** What {@link watchProgram} works with. */
export interface WatchProgramOptions {
  /** Watched already, before the first build. */
  readonly programs: Pick<ProgramBuilds, "watch" | "changed" | "build">;
  /** Runs what was built in place of the one before. @returns once it has started @throws NotStartedError */
  readonly start: (built: BuiltProgram) => Promise<unknown>;
  /** The run that started last. */
  readonly running: () => Pick<ClientRun, "ended">;
  readonly say: (line: string) => void;
  /** Knows whether the user wants an end. */
  readonly signals: { readonly asked: boolean; readonly first: Promise<void> };
}

/** Builds and runs anew with each change, until the user ends it. @returns the end of the run that started last */
export async function watchProgram(options: WatchProgramOptions): Promise<RunEnd> {
  // Whatever goes on then, or waits, or is being replaced: it ends, and nothing follows it.
  const end = options.signals.first.then(() => options.running().ended());
  return await Promise.race([end, replace(options, end)]);
}

/** @param end of the program where the user has asked for it @returns that */
async function replace(options: WatchProgramOptions, end: Promise<RunEnd>): Promise<RunEnd> {
  const { programs, start, say, signals } = options;
  for (;;) {
    say(`${named(await nextChange(options))} changed: building`);
    try {
      const built = await programs.build();
      // A program may go on after a signal, but none begins.
      if (signals.asked) return await end;
      await start(built);
    } catch (error) {
      if (error instanceof BuildError) say(`${describeBuildError(error)}; the program before goes on`);
      else if (error instanceof NotStartedError) say(`the program could not be started: ${error.message}`);
      else throw error;
    }
    await programs.watch();
  }
}

async function nextChange({ programs, running, say, signals }: WatchProgramOptions): Promise<string[]> {
  const change = programs.changed();
  const first = await Promise.race([change, running().ended()]);
  if ("code" in first && !signals.asked) say(`The program ended with exit code ${first.code}: waiting for a change`);
  return await change;
}

function named(paths: readonly string[]): string {
  const names = paths.slice(0, MAX_NAMED).map((path) => relative(Deno.cwd(), path));
  return names.join(", ") + (paths.length > MAX_NAMED ? ` and ${paths.length - MAX_NAMED} more` : "");
}
