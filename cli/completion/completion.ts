import { Argument, Command } from "commander";
import { bashCompletion } from "./completion_bash.ts";
import { fishCompletion } from "./completion_fish.ts";
import { completionModel } from "./completion_model.ts";
import { powershellCompletion } from "./completion_powershell.ts";
import { zshCompletion } from "./completion_zsh.ts";
import type { Context } from "../command/context.ts";

const SHELLS = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion, powershell: powershellCompletion };

/** `kurun completion SHELL` */
export function completionCommand(context: Context): Command {
  const command = new Command("completion")
    .summary("print a shell completion script")
    .description(
      "Prints a script that completes kurun's commands and flags, and the names of contexts, namespaces, Services, Secrets and sessions.",
    )
    .addArgument(new Argument("<shell>", "the shell").choices(Object.keys(SHELLS)))
    .addHelpText("after", EXAMPLES);
  return command.action((shell: keyof typeof SHELLS) => context.data(SHELLS[shell](completionModel(command.parent as Command))));
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
