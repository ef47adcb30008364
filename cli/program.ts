import { Command, CommanderError } from "commander";
import { ConnectionError } from "../k8s/api/connection_error.ts";
import { applyCommand } from "./apply/apply_command.ts";
import { buildCommand } from "./images/build_command.ts";
import { cleanupCommand } from "./session/cleanup_command.ts";
import { completeCommand } from "./completion/complete_command.ts";
import { completionCommand } from "./completion/completion.ts";
import type { Context } from "./command/context.ts";
import { deleteCommand } from "./apply/delete_command.ts";
import { doctorCommand } from "./doctor/doctor_command.ts";
import { ExitCode, ExitError } from "./command/errors.ts";
import { imageCommand } from "./server_image_command.ts";
import { lsCommand } from "./session/ls_command.ts";
import { portForwardCommand } from "./port_forward/port_forward_command.ts";
import { runCommand } from "./run/run_command.ts";
import { resolveCommand } from "./apply/resolve_command.ts";
import { stopCommand } from "./session/stop_command.ts";
import { VERSION } from "./command/version.ts";
import { versionCommand } from "./version_command.ts";

/** Runs a command line and prints errors on stderr. @returns the exit code */
export async function runProgram(context: Context): Promise<number> {
  try {
    await program(context).parseAsync([...context.args], { from: "user" });
    return ExitCode.ok;
  } catch (error) {
    // commander has already printed its error, or the help.
    if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.ok : ExitCode.usage;
    // Ctrl+C before anything was created needs no message.
    const { aborted, reason } = context.interrupted;
    if (aborted && (error === reason || (error instanceof ConnectionError && error.kind === "aborted"))) return ExitCode.ok;
    if (error instanceof ExitError && error.cause === undefined) return error.exitCode;
    const { text, exitCode } = context.describe(error);
    context.stderr(`${text}\n`);
    return exitCode;
  }
}

/** All commands. */
export function program(context: Context): Command {
  const kurun = new Command(context.program)
    .enablePositionalOptions()
    .description(
      "Connects a Service in the cluster to a program on your machine, runs programs in the cluster from source, " +
        "and applies manifests whose images are built from source.",
    )
    .version(VERSION, "--version", "print the version")
    .addCommand(portForwardCommand(context))
    .addCommand(runCommand(context))
    .addCommand(applyCommand(context))
    .addCommand(resolveCommand(context))
    .addCommand(buildCommand(context))
    .addCommand(deleteCommand(context))
    .addCommand(lsCommand(context))
    .addCommand(stopCommand(context))
    .addCommand(cleanupCommand(context))
    .addCommand(doctorCommand(context))
    .addCommand(imageCommand(context))
    .addCommand(versionCommand(context))
    .addCommand(completionCommand(context))
    .addCommand(completeCommand(context), { hidden: true });
  for (const command of [kurun, ...kurun.commands]) {
    command.exitOverride().showSuggestionAfterError().showHelpAfterError(
      `See ${[context.program, ...(command === kurun ? [] : [command.name()])].join(" ")} --help.`,
    ).configureOutput({
      // Examples say kurun, but users of the kubectl plugin type kubectl kurun.
      writeOut: (text) => context.stdout(context.program === "kurun" ? text : text.replace(/^( +)kurun /gm, `$1${context.program} `)),
      writeErr: context.stderr,
      outputError: (text, write) => write(text),
    });
  }
  return kurun;
}

/**
 * What a user types to start this program, by the name it was started under: `kurun`, or `kubectl kurun` where kubectl runs it as a
 * plugin (kubectl runs `kubectl-NAME` for `kubectl NAME`, with `_` for `-` inside of NAME). @param startedAs a path or a name
 */
export function programName(startedAs: string): string {
  const file = startedAs.split(/[\\/]/).at(-1)?.replace(/\.exe$/i, "") ?? "";
  const plugin = /^kubectl-(.+)$/.exec(file)?.[1];
  return plugin === undefined ? "kurun" : `kubectl ${plugin.replaceAll("-", " ").replaceAll("_", "-")}`;
}
