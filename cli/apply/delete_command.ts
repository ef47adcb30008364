import { Command, Option } from "commander";
import { Api } from "../../k8s/api/api.ts";
import { ConnectionError } from "../../k8s/api/connection_error.ts";
import { inOrder, type PlannedObject, planObjects } from "../../k8s/manifests/apply_plan.ts";
import {
  type ApplySetParent,
  applySetParent,
  type ApplySetScope,
  findOrphans,
  type Orphan,
  parentPath,
  readParent,
} from "../../k8s/manifests/applyset.ts";
import { deleteObject, objectGone } from "../../k8s/manifests/delete_objects.ts";
import { type ApiResources, discover } from "../../k8s/manifests/discovery.ts";
import { checkedSetName, dryRunOption } from "./apply_flags.ts";
import { addClusterFlags, openCluster } from "../command/cluster_flags.ts";
import type { Context } from "../command/context.ts";
import { describeNotApplied } from "./describe_apply.ts";
import { parseDuration } from "../command/flag_values.ts";
import { ExitCode, failedExitCode, UserError } from "../command/errors.ts";
import { objectsOf, openManifests } from "./load_manifests.ts";
import { refuse } from "../../k8s/manifests/manifest_error.ts";
import { addManifestFlags, manifestNames } from "./manifest_flags.ts";

/** An object to delete. */
type Removable = Pick<Orphan, "path" | "label" | "namespace"> & { readonly uid?: string };

/** A set and where its members are. */
type KnownSet = { readonly parent: ApplySetParent; readonly scope: ApplySetScope };

/** What `kurun delete` works with. */
interface DeleteRun {
  readonly context: Context;
  readonly api: Api;
  readonly flags: ReturnType<typeof deleteFlags>;
  readonly resources: ApiResources;
}

/** `kurun delete -f FILE` */
export function deleteCommand(context: Context): Command {
  const command = new Command("delete")
    .summary("delete the objects of manifests")
    .description(
      "Deletes the objects of manifests in the reverse order of kurun apply, and waits until they are gone. Nothing is built, so the source of " +
        "references may be missing. Images on the nodes are kept (docs/apply.md).",
    )
    .addHelpText("after", EXAMPLES);
  addManifestFlags(command)
    .addOption(dryRunOption("delete nothing: print what would be deleted (client), or ask the API server (server)"))
    .addOption(new Option("-o, --output <format>", "print only names").choices(["name"]))
    .option("--applyset <name>", "also delete all members of this set of kurun apply --prune, and the set itself; -f is optional then")
    .option("--ignore-not-found", "objects that do not exist are not an error")
    .option("--no-wait", "do not wait until they are gone")
    .option("--timeout <duration>", "how long to wait; 0 waits forever", "0");
  return addClusterFlags(command).action(async (more: string[], options: Record<string, unknown>) => {
    const flags = deleteFlags(options);
    const names = flags.applySet !== undefined && options.filename === undefined && more.length === 0
      ? []
      : manifestNames("delete", more, options);
    const access = await openCluster(context, options);
    using api = new Api(access, { userAgent: "kurun" });
    const { manifests, problems } = await openManifests(context, names, options.recursive === true);
    const read = objectsOf(manifests);
    refuse([...problems, ...read.problems], manifests);
    if (read.objects.length === 0 && flags.applySet === undefined) {
      throw new UserError("these manifests contain no objects", ExitCode.usage);
    }
    const resources = await discover(api, context.interrupted);
    const enforced = options.namespace !== undefined;
    // If a kind no longer exists, neither do its objects.
    const objects = read.objects.filter(({ apiVersion, kind }) => !flags.ignoreNotFound || resources.find(apiVersion, kind));
    const { planned, problems: misplaced } = planObjects(objects, resources, { namespace: access.namespace, enforced });
    refuse(misplaced, manifests);
    const parent = flags.applySet === undefined ? undefined : applySetParent(flags.applySet, access.namespace);
    // Read it before its namespace may be deleted.
    const scope = parent && await readParent(api, parent, context.interrupted);
    if (parent && !scope && !flags.ignoreNotFound) {
      throw new UserError(`there is no set ${parent.name} in namespace ${parent.namespace}; nothing was deleted`, ExitCode.failed);
    }
    await deletePlanned({ context, api, flags, resources }, planned, parent && scope && { parent, scope });
  });
}

const EXAMPLES = `
Examples:
  kurun delete -f k8s/

  # also delete the set of kurun apply -f k8s/ --prune --applyset shop, with all its members
  kurun delete -f k8s/ --applyset shop
`;

function deleteFlags(options: Record<string, unknown>) {
  return {
    dryRun: options.dryRun as "client" | "server" | undefined,
    output: options.output as "name" | undefined,
    ignoreNotFound: options.ignoreNotFound === true,
    wait: options.wait !== false,
    timeoutMs: parseDuration("--timeout", options.timeout as string),
    applySet: options.applyset === undefined ? undefined : checkedSetName(options.applyset as string),
  };
}

/** Deletes objects, and then a set. @throws UserError unless everything was deleted; also API errors */
export async function deletePlanned(run: DeleteRun, planned: readonly PlannedObject[], set: KnownSet | undefined): Promise<void> {
  const { context, api, flags } = run;
  const { first, rest } = inOrder(planned);
  const marked: Required<Removable>[] = [];
  let failures = 0;
  /** @returns whether there was such an object */
  const remove = async (object: Removable): Promise<boolean> => {
    const options = { dryRun: flags.dryRun === "server", signal: context.interrupted };
    const uid = flags.dryRun === "client" ? "" : await deleteObject(api, object, options);
    if (uid === undefined) return false;
    context.stdout(deletedText(object, flags));
    marked.push({ ...object, uid });
    return true;
  };
  const failed = (rest: string) => (cause: unknown): never => {
    if (!context.interrupted.aborted || marked.length === 0 || flags.dryRun !== undefined) throw cause;
    throw new UserError(`interrupted: the objects above are being deleted, ${rest}`, failedExitCode(context.interrupted), { cause });
  };
  for (const object of [...first, ...rest].reverse()) {
    try {
      if (await remove(object) || flags.ignoreNotFound) continue;
      failures++;
      context.stderr(`error: ${object.label} does not exist${object.namespace ? ` in namespace ${object.namespace}` : ""}\n`);
    } catch (error) {
      if (error instanceof ConnectionError) return failed("others were not")(error);
      failures++;
      context.stderr(`${describeNotApplied(object, error, context.describe)}\n`);
    }
  }
  if (set && failures === 0) {
    await deleteSet(run, set, new Set(marked.map(({ path }) => path)), remove).catch(failed("others were not"));
  }
  if (flags.wait && flags.dryRun === undefined) {
    failures += await waitUntilGone(run, marked).catch(failed("but not all are gone yet"));
  }
  if (failures > 0) throw new UserError(`${failures} of ${planned.length} objects were not deleted`, ExitCode.failed);
}

/** Deletes a set's members, and then its parent. If a member is of a kind that is never pruned, it and the parent stay. */
async function deleteSet(
  { context, api, resources }: DeleteRun,
  { parent, scope }: KnownSet,
  deleted: ReadonlySet<string>,
  remove: (object: Removable) => Promise<boolean>,
): Promise<void> {
  const { orphans } = await findOrphans(api, parent, scope, resources, new Set(), context.interrupted);
  const members = orphans.filter(({ path }) => !deleted.has(path));
  for (const member of members) {
    if (!member.kept) await remove(member);
    else {
      const why = "because its kind is never deleted with a set: pass its manifest with -f, or delete it yourself";
      context.stderr(`Warning: ${member.label} stays, ${why}\n`);
    }
  }
  if (members.some(({ kept }) => kept)) return;
  await remove({ path: parentPath(parent), label: `${parent.kind.toLowerCase()}/${parent.name}`, namespace: parent.namespace });
}

/** @returns how many objects still exist */
async function waitUntilGone({ context, api, flags: { timeoutMs } }: DeleteRun, marked: readonly Required<Removable>[]): Promise<number> {
  let there = 0;
  const until = timeoutMs === 0 ? Infinity : context.now() + timeoutMs;
  for (const { path, label, uid } of marked) {
    const withinMs = until === Infinity ? 0 : Math.max(1, until - context.now());
    const waits = (why: string) => context.stderr(`Waiting until ${label} is gone: ${why}\n`);
    if (await objectGone(api, { path, uid }, { withinMs, waits, signal: context.interrupted })) continue;
    there++;
    context.stderr(`error: ${label} is still being deleted after ${timeoutMs / 1000} s\n`);
  }
  return there;
}

/** kubectl's line for an object. */
function deletedText({ label, namespace }: Removable, { dryRun, output }: DeleteRun["flags"]): string {
  if (output === "name") return `${label}\n`;
  const how = dryRun === "client" ? " (dry run)" : dryRun === "server" ? " (server dry run)" : "";
  const where = namespace === undefined ? "" : ` from ${namespace} namespace`;
  const slash = label.indexOf("/");
  return `${label.slice(0, slash)} "${label.slice(slash + 1)}" deleted${where}${how}\n`;
}
