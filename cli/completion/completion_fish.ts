import type { CompletedCommand, CompletedFlag, ValueKind } from "./completion_model.ts";

/** A script for fish 3 and newer. */
export function fishCompletion(commands: readonly CompletedCommand[]): string {
  const names = commands.map(({ name }) => name).join(" ");
  return `# fish completion for kurun: kurun completion fish | source
function __kurun_names
    set -l words (commandline -opc)
    $words[1] __complete $argv[1] -- $words[2..-1] 2>/dev/null
end

complete -c kurun -f
complete -c kurun -n 'not __fish_seen_subcommand_from ${names}' -l version -d 'print the version'
${commands.flatMap((command) => commandLines(command, names)).join("\n")}
`;
}

function commandLines({ name, description, flags, argument }: CompletedCommand, names: string): string[] {
  const inside = `complete -c kurun -n '__fish_seen_subcommand_from ${name}'`;
  return [
    `complete -c kurun -n 'not __fish_seen_subcommand_from ${names}' -a ${name} -d ${quoted(description)}`,
    ...(argument?.is === "choice" ? [`${inside} -a '${argument.of.join(" ")}'`] : []),
    ...(argument?.is === "sessions" ? [`${inside} -a '(__kurun_names sessions)'`] : []),
    ...flags.map((flag) => `${inside} ${flagWords(flag)}${flag.value ? valueWords(flag.value) : ""} -d ${quoted(flag.description)}`),
  ];
}

function flagWords({ names }: CompletedFlag): string {
  return names.map((name) => name.startsWith("--") ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`).join(" ");
}

function valueWords(value: ValueKind): string {
  switch (value.is) {
    case "choice":
      return ` -x -a '${value.of.join(" ")}'`;
    case "file":
      return " -r -F";
    case "text":
      return " -x";
    default:
      return ` -x -a '(__kurun_names ${value.is})'`;
  }
}

function quoted(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
