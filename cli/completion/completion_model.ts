import type { Argument, Command, Option } from "commander";

/** What a value may be: a name from the cluster or the kubeconfig, a file, one of several words, or any text. */
export type ValueKind =
  | { readonly is: "contexts" | "clusters" | "users" | "namespaces" | "services" | "secrets" | "sessions" }
  | { readonly is: "file" }
  | { readonly is: "choice"; readonly of: readonly string[] }
  | { readonly is: "text" };

/** A flag, for completion. */
export interface CompletedFlag {
  /** `-n`, `--namespace`. */
  readonly names: readonly string[];
  readonly description: string;
  /** The kind of its value; undefined for a flag without a value. */
  readonly value: ValueKind | undefined;
}

/** A command, for completion. */
export interface CompletedCommand {
  readonly name: string;
  readonly description: string;
  readonly flags: readonly CompletedFlag[];
  /** Its first argument. */
  readonly argument: ValueKind | undefined;
}

/** Flags whose values come from the cluster or the kubeconfig. */
const KNOWN: Readonly<Record<string, Exclude<ValueKind["is"], "choice">>> = {
  "--context": "contexts",
  "--cluster": "clusters",
  "--user": "users",
  "--namespace": "namespaces",
  "--servicename": "services",
  "--tlssecret": "secrets",
  "--image-pull-secret": "secrets",
};

/** Everything that can be completed, read from the commands; hidden commands and flags are left out. */
export function completionModel(kurun: Command): CompletedCommand[] {
  return kurun.commands.filter((command) => !isHidden(command)).map((command) => ({
    name: command.name(),
    description: command.summary() || command.description(),
    flags: [...command.options.filter(({ hidden }) => !hidden).map(completedFlag), HELP],
    argument: command.registeredArguments[0] && argumentKind(command.registeredArguments[0]),
  }));
}

const HELP: CompletedFlag = { names: ["-h", "--help"], description: "display help for command", value: undefined };

/** Whether help leaves a command out. commander does not expose this. */
export function isHidden(command: Command): boolean {
  return command.name().startsWith("_");
}

function completedFlag(option: Option): CompletedFlag {
  const names = [option.short, option.long].filter((name) => name !== undefined && name !== null);
  return { names, description: option.description, value: option.required || option.optional ? valueKind(option) : undefined };
}

function valueKind(option: Option): ValueKind {
  if (option.argChoices) return { is: "choice", of: option.argChoices };
  const known = KNOWN[option.long ?? ""];
  if (known) return { is: known } as ValueKind;
  return { is: /<.*file.*>/.test(option.flags) ? "file" : "text" };
}

function argumentKind(argument: Argument): ValueKind {
  if (argument.argChoices) return { is: "choice", of: argument.argChoices };
  return { is: argument.name() === "session" ? "sessions" : "text" };
}
