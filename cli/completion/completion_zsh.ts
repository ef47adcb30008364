import type { CompletedCommand, CompletedFlag, ValueKind } from "./completion_model.ts";

/** A script for zsh 5 and newer, to be a file `_kurun` in a folder of $fpath, or to be sourced. */
export function zshCompletion(commands: readonly CompletedCommand[]): string {
  return `#compdef kurun
# zsh completion for kurun
_kurun() {
  local prev=\${words[CURRENT-1]} cur=\${words[CURRENT]} command word
  local -a flags
  for word in \${words[2,CURRENT-1]}; do
    [[ $word != -* ]] && { command=$word; break }
  done
  [[ $cur == --*=* ]] && { prev=\${cur%%=*}; compset -P '*=' }
  case "$command $prev" in
${commands.flatMap(flagCases).join("\n")}
  esac
  case "$command" in
  "")
    flags=(${commands.map(({ name, description }) => described(name, description)).join(" ")})
    _describe command flags
    ;;
${commands.map(commandCase).join("\n")}
  esac
}

# the names of a kind in the cluster that the line selects
_kurun_names() {
  local -a names
  names=(\${(f)"$(\${words[1]} __complete $1 -- \${words[2,CURRENT-1]} 2>/dev/null)"})
  (( \${#names} )) && compadd -a names
}

if [[ $funcstack[1] == _kurun ]]; then _kurun "$@"; else compdef _kurun kurun; fi
`;
}

function flagCases({ name, flags }: CompletedCommand): string[] {
  return flags.flatMap((flag) => flag.value ? [`  ${patterns(name, flag)}) ${reply(flag.value)}; return ;;`] : []);
}

function patterns(command: string, { names }: CompletedFlag): string {
  return names.map((name) => `"${command} ${name}"`).join(" | ");
}

function commandCase({ name, flags, argument }: CompletedCommand): string {
  const words = flags.flatMap(({ names, description }) => names.map((word) => described(word, description)));
  const choices = argument?.is === "choice"
    ? `\n    compadd -- ${argument.of.join(" ")}`
    : argument?.is === "sessions"
    ? "\n    _kurun_names sessions"
    : "";
  return `  ${name})${choices}\n    flags=(${words.join(" ")})\n    _describe flag flags\n    ;;`;
}

function described(word: string, description: string): string {
  return `'${word}:${description.replaceAll("'", `'\\''`).replaceAll(":", "\\:")}'`;
}

function reply(value: ValueKind): string {
  switch (value.is) {
    case "choice":
      return `compadd -- ${value.of.join(" ")}`;
    case "file":
      return "_files";
    case "text":
      return ":";
    default:
      return `_kurun_names ${value.is}`;
  }
}
