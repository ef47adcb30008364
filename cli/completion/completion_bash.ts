import type { CompletedCommand, CompletedFlag, ValueKind } from "./completion_model.ts";

/**
 * A script for bash 3.2 (macOS) and newer. It does not need the bash-completion package, and splits the line itself, because bash splits
 * words at `=` and `:`, which names of contexts may contain.
 */
export function bashCompletion(commands: readonly CompletedCommand[]): string {
  return `# bash completion for kurun: source <(kurun completion bash)
_kurun() {
  local line=\${COMP_LINE:0:COMP_POINT} words word cur prev command= start
  COMPREPLY=()
  read -ra words <<<"$line"
  [[ $line == *[[:space:]] ]] && words+=("")
  cur=\${words[\${#words[@]}-1]}
  prev=\${words[\${#words[@]}-2]}
  for word in "\${words[@]:1:\${#words[@]}-2}"; do
    [[ $word != -* ]] && { command=$word; break; }
  done
  [[ $cur == --*=* ]] && { prev=\${cur%%=*}; start=\${cur%%=*}=; cur=\${cur#*=}; }
  case "$command $prev" in
${commands.flatMap(flagCases).join("\n")}
  esac
  case "$command" in
  "") _kurun_reply "${commands.map(({ name }) => name).join(" ")} --help --version" ;;
${commands.map(commandCase).join("\n")}
  esac
}

# the names of a kind in the cluster that the line selects
_kurun_names() {
  "\${words[0]}" __complete "$1" -- "\${words[@]:1:\${#words[@]}-2}" 2>/dev/null
}

# the matching words of a list; bash replaces only the part after the last = or :
_kurun_reply() {
  local before=$start$cur reply
  before=\${before%"\${before##*[=:]}"}
  for reply in $(compgen -W "$1" -- "$cur"); do
    reply=$start$reply
    COMPREPLY+=("\${reply#"$before"}")
  done
}

_kurun_files() {
  local IFS=$'\\n'
  COMPREPLY=($(compgen -f -- "$cur"))
  compopt -o filenames 2>/dev/null
}

complete -F _kurun kurun
`;
}

function flagCases({ name, flags }: CompletedCommand): string[] {
  return flags.flatMap((flag) => flag.value ? [`  ${patterns(name, flag)}) ${reply(flag.value)}; return ;;`] : []);
}

function patterns(command: string, { names }: CompletedFlag): string {
  return names.map((name) => `"${command} ${name}"`).join(" | ");
}

function commandCase({ name, flags, argument }: CompletedCommand): string {
  const words = flags.flatMap(({ names }) => names.filter((word) => word.startsWith("--"))).join(" ");
  const more = argument?.is === "choice" ? `${argument.of.join(" ")} ` : argument?.is === "sessions" ? "$(_kurun_names sessions) " : "";
  return `  ${name}) _kurun_reply "${more}${words}" ;;`;
}

function reply(value: ValueKind): string {
  switch (value.is) {
    case "choice":
      return `_kurun_reply "${value.of.join(" ")}"`;
    case "file":
      return "_kurun_files";
    case "text":
      return ":";
    default:
      return `_kurun_reply "$(_kurun_names ${value.is})"`;
  }
}
