import { Command, CommanderError } from "commander";
import { ConnectionError } from "../k8s/api/connection_error.ts";
import { seedRandom } from "../tunnel/seed_random.ts";
import type { Context } from "./command/context.ts";
import { ExitCode, ExitError } from "./command/errors.ts";
import { VERSION } from "./command/version.ts";

/** The commands in the order of the help. Each is loaded when it is needed: all of them take twice as long as one. */
const COMMANDS: Readonly<Record<string, (context: Context) => Promise<Command>>> = {
  "port-forward": async (context) => (await import("./port_forward/port_forward_command.ts")).portForwardCommand(context),
  webhook: async (context) => (await import("./webhook/webhook_command.ts")).webhookCommand(context),
  run: async (context) => (await import("./run/run_command.ts")).runCommand(context),
  apply: async (context) => (await import("./apply/apply_command.ts")).applyCommand(context),
  resolve: async (context) => (await import("./apply/resolve_command.ts")).resolveCommand(context),
  build: async (context) => (await import("./images/build_command.ts")).buildCommand(context),
  delete: async (context) => (await import("./apply/delete_command.ts")).deleteCommand(context),
  ls: async (context) => (await import("./session/ls_command.ts")).lsCommand(context),
  stop: async (context) => (await import("./session/stop_command.ts")).stopCommand(context),
  cleanup: async (context) => (await import("./session/cleanup_command.ts")).cleanupCommand(context),
  doctor: async (context) => (await import("./doctor/doctor_command.ts")).doctorCommand(context),
  image: async (context) => (await import("./server_image_command.ts")).imageCommand(context),
  version: async (context) => (await import("./version_command.ts")).versionCommand(context),
  completion: async (context) => (await import("./completion/completion.ts")).completionCommand(context),
};

/** Runs a command line and prints errors on stderr. @returns the exit code */
export async function runProgram(context: Context): Promise<number> {
  try {
    await (await program(context, context.args[0])).parseAsync([...context.args], { from: "user" });
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

/** All commands, or only the one that is named. */
export async function program(context: Context, named = ""): Promise<Command> {
  const kurun = new Command(context.program)
    .enablePositionalOptions()
    .description(
      "Connects a Service in the cluster to a program on your machine, runs programs in the cluster from source, " +
        "and applies manifests whose images are built from source.",
    )
    .version(VERSION, "--version", "print the version");
  const only = Object.hasOwn(COMMANDS, named) ? COMMANDS[named] : undefined;
  if (only) seedRandom();
  for (const command of only ? [only] : Object.values(COMMANDS)) kurun.addCommand(await command(context));
  if (!only) kurun.addCommand((await import("./completion/complete_command.ts")).completeCommand(context), { hidden: true });
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
