import { type Command, Option } from "commander";
import { parseDuration } from "../command/duration.ts";
import { usageError } from "../command/errors.ts";

/** How `kurun apply` applies. */
export interface ApplyFlags {
  readonly fieldManager: string;
  readonly force: boolean;
  readonly validation: "Strict" | "Warn" | "Ignore";
  readonly dryRun: "client" | "server" | undefined;
  readonly diff: boolean;
  readonly output: "yaml" | "json" | "name" | undefined;
  readonly showManagedFields: boolean;
  readonly wait: boolean;
  /** 0 for ever. */
  readonly timeoutMs: number;
  /** With --prune: the name of the set. */
  readonly applySet: string | undefined;
  readonly watch: boolean;
}

const VALIDATION = { strict: "Strict", true: "Strict", warn: "Warn", ignore: "Ignore", false: "Ignore" } as const;

/** Flags of `kubectl apply` that cannot mean anything here, and what to do instead. */
const REFUSED: Readonly<Record<string, string>> = {
  "-k, --kustomize <folder>": "kubectl kustomize FOLDER | kurun apply -f - does it",
  "-l, --selector <query>": "what is given by -f is applied, all of it",
  "--all": "--prune goes by --applyset NAME, which knows what belongs to it",
  "--allow-missing-template-keys": "-o prints yaml, json or name",
  "--template <template>": "-o prints yaml, json or name",
  "--cascade <how>": "what is pruned goes with all that it owns, in the background",
  "--grace-period <seconds>": "what is pruned has its own grace period",
  "--force": "nothing is ever deleted to be made anew: kurun delete does that, and --force-conflicts takes fields that others hold",
  "--overwrite": "the cluster decides whose a field is: --force-conflicts takes those that others hold",
  "--openapi-patch": "the cluster itself merges what is applied",
  "--prune-allowlist <kind>": "--prune goes by --applyset NAME, which knows what belongs to it",
  "--prune-whitelist <kind>": "--prune goes by --applyset NAME, which knows what belongs to it",
  "--record": "no object keeps the command that made it",
  "--save-config": "the cluster keeps who applied which field",
  "--subresource <name>": "whole objects are applied",
};

/** Adds kubectl's flags of `apply`, those that are refused among them, hidden. */
export function addApplyFlags(command: Command): Command {
  command
    .optionsGroup("Options:")
    .addOption(
      new Option("--dry-run <strategy>", "apply nothing and build nothing: only print what would be, or ask the API server").choices([
        "client",
        "server",
      ]),
    )
    .option("--diff", "build, and print what would change, as a unified diff; apply nothing. Exit code 1 where there is a difference")
    .addOption(new Option("-o, --output <format>", "print the objects as the cluster has them then").choices(["yaml", "json", "name"]))
    .option("--show-managed-fields", "with -o yaml or json: with who manages which field")
    .option("--force-conflicts", "take fields that other managers hold")
    .option("--field-manager <name>", "who the fields belong to", "kurun")
    .addOption(
      new Option("--validate <how>", "what becomes of fields that a kind does not have").choices(Object.keys(VALIDATION)).default("strict"),
    )
    .option("--wait", "wait until Deployments, StatefulSets, DaemonSets and Pods are ready and Jobs complete, and say what they wait for")
    .option("--timeout <duration>", "with --wait: how long; 0 for ever", "5m")
    .option("--prune", "with --applyset: delete what belongs to the set and is not in the manifests any more")
    .option(
      "--applyset <name>",
      "with --prune: the set that all objects belong to; a Secret of this name keeps what is in it, or configmaps/NAME",
    )
    .option("--watch", "go on: apply what changes, when it or its source is saved")
    .addOption(new Option("--server-side").hideHelp());
  for (const [flags, why] of Object.entries(REFUSED)) {
    const refuse = () => {
      throw usageError(`kurun apply has no ${flags.replace(/ <.*$/, "").replace(/^-., /, "")}: ${why}`);
    };
    command.addOption(new Option(flags).hideHelp()).on(`option:${flags.replace(/^.*--/, "").replace(/ <.*$/, "")}`, refuse);
  }
  return command;
}

/** Checks what `--applyset` was given. @throws UserError */
export function checkedSetName(text: string): string {
  if (/^(?:(?:secrets?|configmaps?)\/)?[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(text)) return text;
  throw usageError(`--applyset ${text} is no name: NAME or secrets/NAME is a Secret, configmaps/NAME a ConfigMap`);
}

/** Reads the flags of {@link addApplyFlags}. @throws UserError where they contradict each other */
export function applyFlags(options: Record<string, unknown>): ApplyFlags {
  const { dryRun, output, fieldManager, validate, timeout } = options as Record<string, string | undefined>;
  const { diff, wait, watch, prune, applyset, showManagedFields } = options as Record<string, unknown>;
  if (prune && applyset === undefined) throw usageError("--prune goes with --applyset NAME, which knows what belongs to it");
  if (applyset !== undefined && !prune) throw usageError("--applyset goes with --prune");
  if (showManagedFields && output !== "yaml" && output !== "json") throw usageError("--show-managed-fields goes with -o yaml or -o json");
  const applyNothing = diff ? "--diff" : dryRun === undefined ? undefined : "--dry-run";
  const needApply = wait ? "--wait" : watch ? "--watch" : undefined;
  if (applyNothing && needApply) throw usageError(`${needApply} cannot go with ${applyNothing}, which applies nothing`);
  if (diff && dryRun) throw usageError("--diff is a dry run already");
  if (diff && output) throw usageError("--diff prints a diff, and -o objects: one of the two");
  if (watch && output) throw usageError("--watch never comes to the end that -o prints at");
  return {
    fieldManager: fieldManager ?? "kurun",
    force: options.forceConflicts === true,
    validation: VALIDATION[validate as keyof typeof VALIDATION],
    dryRun: dryRun as "client" | "server" | undefined,
    diff: diff === true,
    output: output as ApplyFlags["output"],
    showManagedFields: showManagedFields === true,
    wait: wait === true,
    timeoutMs: parseDuration("--timeout", timeout!),
    applySet: applyset === undefined ? undefined : checkedSetName(applyset as string),
    watch: watch === true,
  };
}
