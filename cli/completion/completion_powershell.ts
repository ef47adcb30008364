import type { CompletedCommand, ValueKind } from "./completion_model.ts";

/** A script for PowerShell 5 and newer. */
export function powershellCompletion(commands: readonly CompletedCommand[]): string {
  return `# PowerShell completion for kurun: kurun completion powershell | Out-String | Invoke-Expression
Register-ArgumentCompleter -Native -CommandName kurun -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $commands = @{
${commands.map(commandEntry).join("\n")}
    }
    $sessionCommands = ${list(commands.filter(({ argument }) => argument?.is === "sessions").map(({ name }) => name))}
    $values = @{
${commands.flatMap(valueEntries).join("\n")}
    }
    $words = @($commandAst.CommandElements | Where-Object { $_.Extent.EndOffset -lt $cursorPosition } | ForEach-Object { $_.ToString() })
    $command = $words | Select-Object -Skip 1 | Where-Object { $_ -notlike '-*' } | Select-Object -First 1
    $value = if ($command) { $values["$command $($words[-1])"] }
    $candidates = if (-not $command) { @($commands.Keys) + '--help' + '--version' }
    elseif ($value -and $value[0] -eq 'file') { return }
    elseif ($value -and $value[0] -eq 'choice') { $value | Select-Object -Skip 1 }
    elseif ($value -and $value[0] -eq 'text') { @() }
    elseif ($value) { & $words[0] __complete $value[0] '--' @($words | Select-Object -Skip 1) 2>$null }
    else {
        $commands[$command]
        if ($sessionCommands -contains $command) { & $words[0] __complete sessions '--' @($words | Select-Object -Skip 1) 2>$null }
    }
    $candidates | Where-Object { $_ -like "$wordToComplete*" } | ForEach-Object {
        [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_)
    }
}
`;
}

function commandEntry({ name, flags, argument }: CompletedCommand): string {
  const words = [...(argument?.is === "choice" ? argument.of : []), ...flags.flatMap(({ names }) => names)];
  return `        '${name}' = ${list(words)}`;
}

function valueEntries({ name, flags }: CompletedCommand): string[] {
  // PowerShell's hash tables ignore case: -n and -N would be the same key.
  const withValue = flags.flatMap(({ names, value }) => value ? names.map((flag) => [flag, value] as const) : []);
  const unique = new Map(withValue.map(([flag, value]) => [flag.toLowerCase(), value]));
  return [...unique].map(([flag, value]) => `        '${name} ${flag}' = ${list(valueWords(value))}`);
}

function valueWords(value: ValueKind): string[] {
  return value.is === "choice" ? ["choice", ...value.of] : [value.is];
}

function list(words: readonly string[]): string {
  return `@(${words.map((word) => `'${word}'`).join(", ")})`;
}
