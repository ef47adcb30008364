import type { Argument, Command, Option } from "commander";
import { isHidden } from "./completion/complete_command.ts";
import { ExitCode } from "./command/errors.ts";

const EXIT_CODES: Readonly<Record<keyof typeof ExitCode, string>> = {
  ok: "Success, or ended by Ctrl+C.",
  failed: "Something failed: a build, a rollout, a start that took too long.",
  usage: "The command line is wrong; nothing was created.",
  cluster: "The cluster could not be reached or refused access. Nothing was created, or it was removed again.",
  sessionLost: "The session ended while it was in use: it was deleted or taken over, or the rights for it were revoked.",
  neverStarted: "The program of `kurun run` never started. Once it has started, kurun exits with the program's exit code.",
};

/** The text of docs/cli.md: every command with its flags, as the commands define them, and the exit codes. */
export function reference(kurun: Command): string {
  const commands = kurun.commands.filter((command) => !isHidden(command));
  const shared = sharedGroups(commands);
  return [
    "# The command line",
    "Generated from the commands by `deno task docs`; do not edit.",
    ...commands.map((command) => commandSection(command, shared)),
    ...[...shared].flatMap(([name, options]) => [`## Options: ${name}`, options]),
    "## Exit codes",
    table(["code", "meaning"], Object.entries(EXIT_CODES).map(([name, text]) => [String(ExitCode[name as keyof typeof ExitCode]), text])),
    "If `kurun run` is interrupted before its program has started, it exits with 130 for Ctrl+C, 143 for SIGTERM or 129 for SIGHUP, so that a " +
    "script does not conclude that the program succeeded. A second Ctrl+C ends any command at once with the same codes, and skips the cleanup.",
  ].join("\n\n") + "\n";
}

/** The groups of options that several commands have in common: the table of each, by its name. */
function sharedGroups(commands: readonly Command[]): Map<string, string> {
  const all = commands.flatMap((command) => [...optionGroups(command)]);
  return new Map(all.filter(([name, text], index) => all.findIndex((other) => other[0] === name && other[1] === text) !== index));
}

function optionGroups(command: Command): Map<string, string> {
  const visible = command.options.filter(({ hidden }) => !hidden);
  const groups = Map.groupBy(visible, ({ helpGroupHeading = "Options:" }) => helpGroupHeading.replace(/:$/, "").toLowerCase());
  return new Map([...groups].map(([name, options]) => [name, table([name, "default", ""], options.map(optionRow))]));
}

function commandSection(command: Command, shared: ReadonlyMap<string, string>): string {
  const groups = [...optionGroups(command)];
  const links = groups.filter(([name, text]) => shared.get(name) === text).map(([name]) => `[${name}](#options-${name})`);
  return [
    `## kurun ${[command.name(), ...command.registeredArguments.map(argumentText)].join(" ")}`,
    command.description(),
    ...command.registeredArguments.map((argument) => `\`${argumentText(argument)}\`: ${argument.description}${choices(argument)}`),
    ...groups.filter(([name, text]) => shared.get(name) !== text).map(([, text]) => text),
    ...(links.length > 0 ? [`Also the options of ${links.join(" and ")}.`] : []),
    ...examples(command),
  ].join("\n\n");
}

function argumentText(argument: Argument): string {
  const name = `${argument.name()}${argument.variadic ? "..." : ""}`;
  return argument.required ? `<${name}>` : `[${name}]`;
}

function optionRow(option: Option): string[] {
  const { defaultValue, defaultValueDescription } = option;
  const value = defaultValueDescription ?? (typeof defaultValue === "string" ? `\`${defaultValue}\`` : "");
  return [`\`${option.flags}\``, value, option.description + choices(option)];
}

function choices({ argChoices }: { argChoices?: readonly string[] | undefined }): string {
  return argChoices === undefined ? "" : ` (${argChoices.join(", ")})`;
}

/** The examples at the end of the command's help. */
function examples(command: Command): string[] {
  let text = "";
  command.configureOutput({ ...command.configureOutput(), writeOut: (written) => text += written });
  command.outputHelp();
  const [, found] = text.split("\nExamples:\n");
  return found === undefined ? [] : [`\`\`\`\n${found.replace(/^ {2}/gm, "").trim()}\n\`\`\``];
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}
