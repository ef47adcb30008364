import { type Command, Option } from "commander";
import { parseDuration } from "../command/flag_values.ts";
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
  /** 0 waits forever. */
  readonly timeoutMs: number;
  /** The name of the set, with --prune. */
  readonly applySet: string | undefined;
  readonly watch: boolean;
}

const VALIDATION = { strict: "Strict", true: "Strict", warn: "Warn", ignore: "Ignore", false: "Ignore" } as const;

/** Flags of `kubectl apply` that have no meaning here, and what to do instead. */
const REFUSED: Readonly<Record<string, string>> = {
  "-k, --kustomize <folder>": "use kubectl kustomize FOLDER | kurun apply -f -",
  "-l, --selector <query>": "everything given with -f is applied",
  "--all": "--prune needs --applyset NAME, which records the members of the set",
  "--allow-missing-template-keys": "-o prints yaml, json or name",
  "--template <template>": "-o prints yaml, json or name",
  "--cascade <how>": "pruned objects are deleted with everything they own, in the background",
  "--grace-period <seconds>": "pruned objects use their own grace period",
  "--force": "objects are never deleted and recreated: use kurun delete, or --force-conflicts to take fields from other managers",
  "--overwrite": "the cluster tracks who owns a field: --force-conflicts takes fields from other managers",
  "--openapi-patch": "the cluster merges applied objects itself",
  "--prune-allowlist <kind>": "--prune needs --applyset NAME, which records the members of the set",
  "--prune-whitelist <kind>": "--prune needs --applyset NAME, which records the members of the set",
  "--record": "objects do not record the command that made them",
  "--save-config": "the cluster tracks who applied which field",
  "--subresource <name>": "only whole objects are applied",
};

/** Adds the flags of `kubectl apply`. Those that are refused are hidden. */
export function addApplyFlags(command: Command): Command {
  command
    .optionsGroup("Options:")
    .addOption(dryRunOption("apply and build nothing: print what would be applied (client), or ask the API server (server)"))
    .option("--diff", "build, print what would change as a unified diff, and apply nothing; exit code 1 if there is a difference")
    .addOption(new Option("-o, --output <format>", "print the applied objects as the cluster has them").choices(["yaml", "json", "name"]))
    .option("--show-managed-fields", "with -o yaml or json: include the managers of each field")
    .option("--force-conflicts", "take over fields that other managers own")
    .option("--field-manager <name>", "name of the manager that owns the applied fields", "kurun")
    .addOption(new Option("--validate <how>", "what to do about unknown fields").choices(Object.keys(VALIDATION)).default("strict"))
    .option(
      "--wait",
      "wait until Deployments, StatefulSets, DaemonSets and Pods are ready and Jobs are complete, and report what they wait for",
    )
    .option("--timeout <duration>", "with --wait: how long to wait; 0 waits forever", "5m")
    .option("--prune", "with --applyset: delete members of the set that are no longer in the manifests")
    .option(
      "--applyset <name>",
      "with --prune: the set that all objects belong to; NAME records it in a Secret, configmaps/NAME in a ConfigMap",
    )
    .option("--watch", "keep running, and apply what changes when a manifest or its source is saved")
    .addOption(new Option("--server-side").hideHelp());
  for (const [flags, why] of Object.entries(REFUSED)) {
    const refuse = () => {
      throw usageError(`kurun apply does not support ${flags.replace(/ <.*$/, "").replace(/^-., /, "")}: ${why}`);
    };
    command.addOption(new Option(flags).hideHelp()).on(`option:${flags.replace(/^.*--/, "").replace(/ <.*$/, "")}`, refuse);
  }
  return command;
}

/** `--dry-run`, as `kubectl apply` and `kubectl delete` have it. */
export function dryRunOption(what: string): Option {
  return new Option("--dry-run <strategy>", what).choices(["client", "server"]);
}

/** Checks the value of `--applyset`. @throws UserError */
export function checkedSetName(text: string): string {
  if (/^(?:(?:secrets?|configmaps?)\/)?[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(text)) return text;
  throw usageError(`--applyset must be NAME, secrets/NAME or configmaps/NAME, got ${text}`);
}

/** Reads the flags of {@link addApplyFlags}. @throws UserError if they contradict each other */
export function applyFlags(options: Record<string, unknown>): ApplyFlags {
  const { dryRun, output, fieldManager, validate, timeout } = options as Record<string, string | undefined>;
  const { diff, wait, watch, prune, applyset, showManagedFields } = options as Record<string, unknown>;
  if (prune && applyset === undefined) throw usageError("--prune needs --applyset NAME, which records the members of the set");
  if (applyset !== undefined && !prune) throw usageError("--applyset needs --prune");
  if (showManagedFields && output !== "yaml" && output !== "json") throw usageError("--show-managed-fields needs -o yaml or -o json");
  const applyNothing = diff ? "--diff" : dryRun === undefined ? undefined : "--dry-run";
  const needApply = wait ? "--wait" : watch ? "--watch" : undefined;
  if (applyNothing && needApply) throw usageError(`${needApply} cannot be combined with ${applyNothing}, which applies nothing`);
  if (diff && dryRun) throw usageError("--diff already is a dry run: drop --dry-run");
  if (diff && output) throw usageError("--diff and -o cannot be combined: one prints a diff, the other objects");
  if (watch && output) throw usageError("--watch cannot be combined with -o, which prints at the end");
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
