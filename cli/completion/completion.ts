import { Argument, Command } from "commander";
import type { Context } from "../command/context.ts";

/** For bash 3.2 (macOS) and newer, without the bash-completion package. bash splits words at `=` and `:`, so the script splits the line. */
const BASH = `# bash completion for kurun: source <(kurun completion bash)
_kurun() {
  local line=\${COMP_LINE:0:COMP_POINT} words cur before reply
  COMPREPLY=()
  read -ra words <<<"$line"
  [[ $line == *[[:space:]] ]] && words+=("")
  cur=\${words[\${#words[@]}-1]}
  # The typed word, unlike the command that bash runs, still has its tilde.
  words[0]=\${words[0]/#\\~\\//$HOME/}
  # bash replaces only the part after the last = or :
  before=\${cur%"\${cur##*[=:]}"}
  while IFS= read -r reply; do
    if [[ $reply == :files ]]; then
      local IFS=$'\\n'
      COMPREPLY=($(compgen -f -- "\${cur#--*=}"))
      compopt -o filenames 2>/dev/null
      return
    fi
    reply=\${reply%%$'\\t'*}
    COMPREPLY+=("\${reply#"$before"}")
  done < <("\${words[0]}" __complete "=$cur" "\${words[@]:1:\${#words[@]}-2}" 2>/dev/null)
}
complete -F _kurun kurun
`;

/** For zsh 5 and newer, as a file `_kurun` in a folder of $fpath, or sourced. */
const ZSH = `#compdef kurun
# zsh completion for kurun
_kurun() {
  local reply
  local -a replies
  for reply in \${(f)"$(\${~\${(Q)words[1]}} __complete "=\${(Q)words[CURRENT]}" "\${(@Q)words[2,CURRENT-1]}" 2>/dev/null)"}; do
    [[ $reply == :files ]] && { compset -P '--*='; _files; return }
    reply=\${reply//:/\\\\:}
    replies+=("\${reply/$'\\t'/:}")
  done
  _describe argument replies
}
if [[ $funcstack[1] == _kurun ]]; then _kurun "$@"; else compdef _kurun kurun; fi
`;

/** For fish 3 and newer. */
const FISH = `# fish completion for kurun: kurun completion fish | source
function __kurun_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l kurun (string replace -r '^~/' "$HOME/" -- $words[1])
    set -l replies ($kurun __complete "=$current" $words[2..-1] 2>/dev/null)
    if test "$replies" = :files
        set -l flag (string match -r -- '^--[^=]*=' $current)
        for file in (__fish_complete_path (string replace -r -- '^--[^=]*=' '' $current))
            echo "$flag$file"
        end
    else
        string join \\n -- $replies
    end
end
complete -c kurun -f -a '(__kurun_complete)'
`;

/** For PowerShell 5 and newer, which completes the names of files where there is no reply. */
const POWERSHELL = `# PowerShell completion for kurun: kurun completion powershell | Out-String | Invoke-Expression
Register-ArgumentCompleter -Native -CommandName kurun -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $words = @($commandAst.CommandElements | Where-Object { $_.Extent.EndOffset -lt $cursorPosition } | ForEach-Object { $_.ToString() })
    & $words[0] __complete "=$wordToComplete" @($words | Select-Object -Skip 1) 2>$null | Where-Object { $_ -ne ':files' } | ForEach-Object {
        $word, $description = $_ -split '\\t', 2
        if (-not $description) { $description = $word }
        [System.Management.Automation.CompletionResult]::new($word, $word, 'ParameterValue', $description)
    }
}
`;

const SCRIPTS = { bash: BASH, zsh: ZSH, fish: FISH, powershell: POWERSHELL };

/** `kurun completion SHELL`. The scripts ask `kurun __complete` what to offer: see complete_command.ts. */
export function completionCommand(context: Context): Command {
  return new Command("completion")
    .summary("print a shell completion script")
    .description(
      "Prints a script that completes kurun's commands and flags, and the names of contexts, namespaces, Services, Secrets and sessions.",
    )
    .addArgument(new Argument("<shell>", "the shell").choices(Object.keys(SCRIPTS)))
    .addHelpText("after", EXAMPLES)
    .action((shell: keyof typeof SCRIPTS) => context.data(SCRIPTS[shell]));
}

const EXAMPLES = `
Examples:
  # bash: for this shell, or for all new shells
  source <(kurun completion bash)
  kurun completion bash > ~/.local/share/bash-completion/completions/kurun

  # zsh: into a folder of $fpath
  kurun completion zsh > "\${fpath[1]}/_kurun"

  # fish
  kurun completion fish > ~/.config/fish/completions/kurun.fish

  # PowerShell: add this line to $PROFILE
  kurun completion powershell | Out-String | Invoke-Expression
`;
