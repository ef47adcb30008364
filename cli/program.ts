import { Command, CommanderError } from "commander";
import type { Context } from "./context.ts";
import { describeError } from "./describe_error.ts";
import { ExitCode } from "./errors.ts";
import { imageCommand } from "./image.ts";
import { portForwardCommand } from "./port_forward.ts";
import { VERSION } from "./version.ts";

/** Runs one command line. @returns the exit code; what went wrong has been said on stderr */
export async function runProgram(context: Context): Promise<number> {
  try {
    await program(context).parseAsync([...context.args], { from: "user" });
    return ExitCode.ok;
  } catch (error) {
    // commander has printed its own sentence already, or the help that was asked for.
    if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.ok : ExitCode.usage;
    const { text, exitCode } = describeError(error);
    context.stderr(`${text}\n`);
    return exitCode;
  }
}

/** All commands. */
export function program(context: Context): Command {
  const kurun = new Command("kurun")
    .description("Brings what runs on your machine into a Kubernetes cluster, over nothing but the API server.")
    .version(VERSION, "--version", "print the version")
    .addCommand(portForwardCommand(context))
    .addCommand(imageCommand(context));
  for (const command of [kurun, ...kurun.commands]) {
    command.exitOverride().showSuggestionAfterError().configureOutput({
      writeOut: context.stdout,
      writeErr: context.stderr,
      outputError: (text, write) => write(text),
    });
  }
  return kurun;
}
