import type { Command } from "commander";
import { VERSION } from "./command/version.ts";
import { type DescribedCommand, describedCommands, type DescribedOption, EXIT_CODES, EXIT_NOTE } from "./described_command.ts";

/** How long a line of a page may be in bytes: mandoc -Tlint complains beyond 80. */
const WIDTH = 78;

/**
 * The man pages, by the name of their file: kurun(1), and one for each command. They use the macros of man(7), which groff and mandoc know.
 * @param date the day on which a page last changed, as YYYY-MM-DD
 */
export function manPages(kurun: Command, date: (file: string) => string): Map<string, string> {
  const commands = describedCommands(kurun);
  const pages = [mainPage(kurun, commands), ...commands.map((command) => commandPage(command))];
  return new Map(pages.map(([name, lines]) => {
    const title = `.TH "${escape(name.toUpperCase())}" "1" "${date(`${name}.1`)}" "kurun ${VERSION}" "kurun Manual"`;
    return [`${name}.1`, ['.\\" Generated from the commands by "deno task docs"; do not edit.', title, ...lines].join("\n") + "\n"];
  }));
}

type Page = readonly [name: string, lines: readonly string[]];

function mainPage(kurun: Command, commands: readonly DescribedCommand[]): Page {
  return ["kurun", [
    ...section("NAME", text("kurun - connect a Kubernetes Service to a program on this machine")),
    ...section("SYNOPSIS", [".B kurun", ".I command", "[options]"]),
    ...section("DESCRIPTION", text(kurun.description())),
    ...section("COMMANDS", commands.flatMap(({ name, summary }) => entry(`${bold(`kurun-${name}`)}(1)`, summary))),
    ...section("OPTIONS", [
      ...kurun.options.flatMap(({ flags, description }) => entry(bold(flags), description)),
      ...entry(bold("-h, --help"), "print the help; each command has this option too"),
    ]),
    ...exitStatus(),
    ...section("SEE ALSO", [`${bold("kubectl")}(1)`]),
  ]];
}

function commandPage(command: DescribedCommand): Page {
  const name = `kurun-${command.name}`;
  return [name, [
    ...section("NAME", text(`${name} - ${command.summary}`)),
    ...section("SYNOPSIS", [
      `.B kurun ${escape(command.name)}`,
      ["[options]", ...command.arguments.map(({ text }) => placeholder(text))].join(" "),
    ]),
    ...section("DESCRIPTION", [
      ...text(command.description),
      ...command.arguments.flatMap((argument) => entry(placeholder(argument.text), argument.description)),
    ]),
    ...[...command.groups].flatMap(([group, options]) =>
      section(group === "options" ? "OPTIONS" : `${group.toUpperCase()} OPTIONS`, options.flatMap(optionEntry))
    ),
    ...(command.examples === "" ? [] : section("EXAMPLES", [".EX", ...command.examples.split("\n").map(literal), ".EE"])),
    ...exitStatus(),
    ...section("SEE ALSO", [`${bold("kurun")}(1)`]),
  ]];
}

function exitStatus(): string[] {
  return section("EXIT STATUS", [
    ...EXIT_CODES.flatMap(([code, meaning]) => entry(bold(String(code)), meaning)),
    ".PP",
    ...text(EXIT_NOTE),
  ]);
}

function optionEntry({ flags, value, description }: DescribedOption): string[] {
  const [, names = "", rest = ""] = /^([^<[]+?)(?:\s+([<[].*))?$/.exec(flags) ?? [];
  const label = names.split(", ").map(bold).join(", ");
  return entry(
    rest === "" ? label : `${label} ${placeholder(rest)}`,
    value === undefined ? description : `${description} (default: ${value})`,
  );
}

function section(title: string, lines: readonly string[]): string[] {
  return [`.SH ${title}`, ...lines];
}

/** A paragraph with a label. @param label roff */
function entry(label: string, description: string): string[] {
  return [".TP", label, ...text(description)];
}

/** What the user replaces: `<name>` becomes an italic name, and `[name]` keeps its brackets because it may be left out. */
function placeholder(shown: string): string {
  const name = `\\fI${escape(shown.slice(1, -1))}\\fR`;
  return shown.startsWith("[") ? `[${name}]` : name;
}

function bold(plain: string): string {
  return `\\fB${escape(plain)}\\fR`;
}

/** A paragraph as lines that are short enough; code between backquotes becomes bold. */
function text(markdown: string): string[] {
  const words = markdown.split(/(`[^`]*`)/).map((part) => part.startsWith("`") ? bold(part.slice(1, -1)) : escape(part)).join("").split(
    " ",
  );
  const lines: string[] = [];
  for (const word of words) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length > WIDTH) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines.map(guarded);
}

function literal(line: string): string {
  return guarded(escape(line));
}

/** A line that roff would read as a request begins with a character of no width. */
function guarded(line: string): string {
  return /^[.']/.test(line) ? `\\&${line}` : line;
}

const CHARACTERS: Readonly<Record<string, string>> = {
  "\\": "\\e",
  "-": "\\-",
  "'": "\\(aq",
  '"': "\\(dq",
  "`": "\\(ga",
  "^": "\\(ha",
  "~": "\\(ti",
};

/** Text as roff: what it would print differently, and all that is not ASCII, by name. */
function escape(plain: string): string {
  return plain.replace(/[\\'"`^~-]/g, (character) => CHARACTERS[character] ?? character)
    .replace(/[^\0-\x7f]/gu, (character) => `\\[u${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")}]`);
}
