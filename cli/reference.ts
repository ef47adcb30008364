import type { Command } from "commander";
import { type DescribedCommand, describedCommands, type DescribedOption, EXIT_CODES, EXIT_NOTE } from "./described_command.ts";

/** The text of docs/cli.md: every command with its flags, as the commands define them, and the exit codes. */
export function reference(kurun: Command): string {
  const commands = describedCommands(kurun);
  const shared = sharedGroups(commands);
  return [
    "# The command line",
    "Generated from the commands by `deno task docs`; do not edit.",
    ...commands.map((command) => commandSection(command, shared)),
    ...[...shared].flatMap(([name, options]) => [`## Options: ${name}`, options]),
    "## Exit codes",
    table(["code", "meaning"], EXIT_CODES.map(([code, meaning]) => [String(code), meaning])),
    EXIT_NOTE,
  ].join("\n\n") + "\n";
}

/** The groups of options that several commands have in common: the table of each, by its name. */
function sharedGroups(commands: readonly DescribedCommand[]): Map<string, string> {
  const all = commands.flatMap((command) => optionTables(command));
  return new Map(all.filter(([name, text], index) => all.findIndex((other) => other[0] === name && other[1] === text) !== index));
}

function optionTables({ groups }: DescribedCommand): [name: string, table: string][] {
  return [...groups].map(([name, options]) => [name, table([name, "default", ""], options.map(optionRow))]);
}

function commandSection(command: DescribedCommand, shared: ReadonlyMap<string, string>): string {
  const groups = optionTables(command);
  const links = groups.filter(([name, text]) => shared.get(name) === text).map(([name]) => `[${name}](#options-${name})`);
  return [
    `## kurun ${[command.name, ...command.arguments.map(({ text }) => text)].join(" ")}`,
    command.description,
    ...command.arguments.map(({ text, description }) => `\`${text}\`: ${description}`),
    ...groups.filter(([name, text]) => shared.get(name) !== text).map(([, text]) => text),
    ...(links.length > 0 ? [`Also the options of ${links.join(" and ")}.`] : []),
    ...(command.examples === "" ? [] : [`\`\`\`\n${command.examples}\n\`\`\``]),
  ].join("\n\n");
}

function optionRow({ flags, value = "", description }: DescribedOption): string[] {
  return [`\`${flags}\``, value, description];
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}
