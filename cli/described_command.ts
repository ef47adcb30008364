import type { Argument, Command, Option } from "commander";
import { isHidden } from "./completion/complete_command.ts";
import { ExitCode } from "./command/errors.ts";

/** What docs/cli.md and the man pages say about a command, taken from its definition. */
export interface DescribedCommand {
  readonly name: string;
  /** One line. */
  readonly summary: string;
  readonly description: string;
  readonly arguments: readonly DescribedArgument[];
  /** The visible options by the lower-case heading of their group. */
  readonly groups: ReadonlyMap<string, readonly DescribedOption[]>;
  /** The examples at the end of its help; empty if it has none. */
  readonly examples: string;
}

/** An argument of a command. */
export interface DescribedArgument {
  /** As in a synopsis: `<url>` or `[file...]`. */
  readonly text: string;
  readonly description: string;
}

/** An option of a command. */
export interface DescribedOption {
  /** As in the help: `-o, --output <format>`. */
  readonly flags: string;
  readonly description: string;
  /** The default, if it is not part of the description. */
  readonly value?: string;
}

/** The exit codes with their meaning, in Markdown. */
export const EXIT_CODES: readonly (readonly [code: number, meaning: string])[] = [
  [ExitCode.ok, "Success, or ended by Ctrl+C."],
  [ExitCode.failed, "Something failed: a build, a rollout, a start that took too long."],
  [ExitCode.usage, "The command line is wrong; nothing was created."],
  [ExitCode.cluster, "The cluster could not be reached or refused access. Nothing was created, or it was removed again."],
  [ExitCode.sessionLost, "The session ended while it was in use: it was deleted or taken over, or the rights for it were revoked."],
  [ExitCode.neverStarted, "The program of `kurun run` never started. Once it has started, kurun exits with the program's exit code."],
];

/** What follows the exit codes, in Markdown. */
export const EXIT_NOTE =
  "If `kurun run` is interrupted before its program has started, it exits with 130 for Ctrl+C, 143 for SIGTERM or 129 for SIGHUP, so that a " +
  "script does not conclude that the program succeeded. A second Ctrl+C ends any command at once with the same codes, and skips the cleanup.";

/** The commands that users see. */
export function describedCommands(kurun: Command): DescribedCommand[] {
  return kurun.commands.filter((command) => !isHidden(command)).map((command) => ({
    name: command.name(),
    summary: command.summary() || command.description(),
    description: command.description(),
    arguments: command.registeredArguments.map((argument) => ({
      text: argumentText(argument),
      description: argument.description + choices(argument),
    })),
    groups: optionGroups(command),
    examples: examples(command),
  }));
}

function optionGroups(command: Command): Map<string, DescribedOption[]> {
  const visible = command.options.filter(({ hidden }) => !hidden);
  const groups = Map.groupBy(visible, ({ helpGroupHeading = "Options:" }) => helpGroupHeading.replace(/:$/, "").toLowerCase());
  return new Map([...groups].map(([name, options]) => [name, options.map(describedOption)]));
}

function argumentText(argument: Argument): string {
  const name = `${argument.name()}${argument.variadic ? "..." : ""}`;
  return argument.required ? `<${name}>` : `[${name}]`;
}

function describedOption(option: Option): DescribedOption {
  const { flags, defaultValue, defaultValueDescription } = option;
  const value = defaultValueDescription ?? (typeof defaultValue === "string" ? `\`${defaultValue}\`` : undefined);
  return { flags, description: option.description + choices(option), ...value !== undefined && { value } };
}

function choices({ argChoices }: { argChoices?: readonly string[] | undefined }): string {
  return argChoices === undefined ? "" : ` (${argChoices.join(", ")})`;
}

function examples(command: Command): string {
  let text = "";
  command.configureOutput({ ...command.configureOutput(), writeOut: (written) => text += written });
  command.outputHelp();
  const [, found = ""] = text.split("\nExamples:\n");
  return found.replace(/^ {2}/gm, "").trim();
}
