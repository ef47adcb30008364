import { type Command, Option } from "commander";
import { stringify } from "yaml";
import { annotated, sessionObjects } from "../../k8s/session/objects/session_manifests.ts";
import type { New } from "../../k8s/api/kubernetes_objects.ts";
import { isRun, type SessionPlan } from "../../k8s/session/objects/session_plan.ts";
import { IMAGE_USER } from "../../k8s/images/server_command.ts";
import { usageError } from "./errors.ts";

/** Replaces values that are new at each start: suffixes of names, keys, times. */
export const MADE_AT_START = "(generated at start)";
/** Replaces the suffix of names, which must stay valid names. */
export const NAME_END = "xxxxx";

/** Adds kubectl's `--dry-run=client` and `-o`. */
export function addDryRunFlags(command: Command): Command {
  return command
    .addOption(
      new Option("--dry-run <strategy>", "client: print the objects that would be created, and create nothing").choices(["client"]),
    )
    .addOption(new Option("-o, --output <format>", "with --dry-run: the output format (default: yaml)").choices(["yaml", "json"]));
}

/** The output format of a dry run; undefined without `--dry-run`. @throws UserError for a format without a dry run */
export function dryRunFormat(options: Record<string, unknown>): "yaml" | "json" | undefined {
  const { dryRun, output } = options as { dryRun?: string; output?: "yaml" | "json" };
  if (dryRun !== undefined) return output ?? "yaml";
  if (output !== undefined) throw usageError(`-o ${output} needs --dry-run=client`);
  return undefined;
}

/**
 * The objects that would be created, without values that are new at each start: the same plan gives the same text.
 * @param more what is created besides the session's objects
 */
export function dryRunText<Plan extends SessionPlan>(
  given: Plan,
  format: "yaml" | "json",
  more: (plan: Plan, uid: string) => readonly New[] = () => [],
): string {
  // The cluster is not asked whether it chooses the user.
  const user = { runAsUser: IMAGE_USER };
  const plan = isRun(given) ? { ...given, ...user } : annotated({ ...given, ...user });
  const annotations = { ...plan.annotations, "kurun.dev/since": MADE_AT_START };
  // The name of a run is the user's, or already ends in NAME_END.
  const name = isRun(plan) ? plan.name : plan.name.replace(/[^-]+$/, NAME_END);
  const shown = { ...plan, name, annotations };
  const objects = [
    ...sessionObjects(shown, MADE_AT_START, NO_SECRETS).map(withoutValues),
    ...more(shown as SessionPlan as Plan, MADE_AT_START),
  ];
  if (format === "json") return `${JSON.stringify({ apiVersion: "v1", kind: "List", items: objects }, null, 4)}\n`;
  return objects.map((object) => stringify(object, { lineWidth: 0, aliasDuplicateObjects: false })).join("---\n");
}

const NO_SECRETS = { key: new Uint8Array(), cert: "", certKey: "" };

function withoutValues(object: New & { readonly data?: Readonly<Record<string, string>> }): New {
  const { data, ...rest } = object;
  if (data === undefined) return object;
  const [field, value] = object.kind === "Secret" ? ["stringData", MADE_AT_START] : ["data", "(kurun's server)"];
  return Object.assign(rest, { [field]: Object.fromEntries(Object.keys(data).map((name) => [name, value])) });
}
