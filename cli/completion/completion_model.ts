import type { Argument, Command, Option } from "commander";

/** What a value may be: a name from the cluster, a file, one of a few words, or nobody knows. */
export type ValueKind =
  | { readonly is: "contexts" | "clusters" | "users" | "namespaces" | "services" | "secrets" | "sessions" }
  | { readonly is: "file" }
  | { readonly is: "choice"; readonly of: readonly string[] }
  | { readonly is: "text" };

/** A flag as shells complete it. */
export interface CompletedFlag {
  /** `-n`, `--namespace`. */
  readonly names: readonly string[];
  readonly description: string;
  /** What follows it; undefined where nothing does. */
  readonly value: ValueKind | undefined;
}

/** A command as shells complete it. */
export interface CompletedCommand {
  readonly name: string;
  readonly description: string;
  readonly flags: readonly CompletedFlag[];
  /** Its first argument. */
  readonly argument: ValueKind | undefined;
}

/** Flags whose values the cluster or the kubeconfig knows. */
const KNOWN: Readonly<Record<string, Exclude<ValueKind["is"], "choice">>> = {
  "--context": "contexts",
  "--cluster": "clusters",
  "--user": "users",
  "--namespace": "namespaces",
  "--servicename": "services",
  "--tlssecret": "secrets",
  "--image-pull-secret": "secrets",
};

/** All that can be completed, out of the commands themselves; what is hidden is left out. */
export function completionModel(kurun: Command): CompletedCommand[] {
  return kurun.commands.filter((command) => !isHidden(command)).map((command) => ({
    name: command.name(),
    description: command.summary() || command.description(),
    flags: [...command.options.filter(({ hidden }) => !hidden).map(completedFlag), HELP],
    argument: command.registeredArguments[0] && argumentKind(command.registeredArguments[0]),
  }));
}

const HELP: CompletedFlag = { names: ["-h", "--help"], description: "display help for command", value: undefined };

/** commander keeps this to itself; its help is what tells. */
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
