import { Command, Option } from "commander";
import { Api } from "../../k8s/api/api.ts";
import { ConnectionError } from "../../k8s/api/connection_error.ts";
import { inOrder, type PlannedObject, planObjects } from "../../k8s/manifests/apply_plan.ts";
import {
  type ApplySetParent,
  applySetParent,
  type ApplySetScope,
  findOrphans,
  parentPath,
  readParent,
} from "../../k8s/manifests/applyset.ts";
import { deleteObject, objectGone } from "../../k8s/manifests/delete_objects.ts";
import { discover } from "../../k8s/manifests/discovery.ts";
import { checkedSetName } from "./apply_flags.ts";
import { addClusterFlags, openCluster } from "../command/cluster_flags.ts";
import type { Context } from "../command/context.ts";
import { describeNotApplied } from "./describe_apply.ts";
import { parseDuration } from "../command/flag_values.ts";
import { ExitCode, type InterruptedError, UserError } from "../command/errors.ts";
import { objectsOf } from "./load_manifests.ts";
import { addManifestFlags, manifestNames, openManifests, refuse } from "./manifest_flags.ts";

/** An object that is marked for deletion. */
interface Marked {
  readonly path: string;
  readonly label: string;
  readonly uid: string;
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
    .addOption(
      new Option("--dry-run <strategy>", "delete nothing: print what would be deleted (client), or ask the API server (server)").choices([
        "client",
        "server",
      ]),
    )
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
    const api = new Api(access, { userAgent: "kurun" });
    try {
      const { files, manifests, problems } = await openManifests(context, names, options);
      const read = objectsOf(manifests);
      refuse([...problems, ...read.problems], files);
      if (read.objects.length === 0 && flags.applySet === undefined) {
        throw new UserError("these manifests contain no objects", ExitCode.usage);
      }
      const resources = await discover(api, context.interrupted);
      const enforced = options.namespace !== undefined;
      // If a kind no longer exists, neither do its objects.
      const objects = read.objects.filter(({ apiVersion, kind }) => !flags.ignoreNotFound || resources.find(apiVersion, kind));
      const { planned, problems: misplaced } = planObjects(objects, resources, { namespace: access.namespace, enforced });
      refuse(misplaced, files);
      // Read it before its namespace may be deleted.
      const set = flags.applySet === undefined
        ? undefined
        : await findSet(context, api, applySetParent(flags.applySet, access.namespace), flags);
      await deletePlanned(context, api, planned, flags, set);
    } finally {
      api.close();
    }
  });
}

const EXAMPLES = `
Examples:
  kurun delete -f k8s/

  # also delete the set of kurun apply -f k8s/ --prune --applyset shop, with all its members
  kurun delete -f k8s/ --applyset shop
`;

type DeleteFlags = ReturnType<typeof deleteFlags>;

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

/** A set and where its members are. */
interface KnownSet {
  readonly parent: ApplySetParent;
  readonly scope: ApplySetScope;
}

/** @returns undefined with --ignore-not-found if there is no such set @throws UserError without that flag, before anything is deleted */
async function findSet(context: Context, api: Api, parent: ApplySetParent, flags: DeleteFlags): Promise<KnownSet | undefined> {
  const scope = await readParent(api, parent, context.interrupted);
  if (scope !== undefined) return { parent, scope };
  if (flags.ignoreNotFound) return undefined;
  throw new UserError(`there is no set ${parent.name} in namespace ${parent.namespace}; nothing was deleted`, ExitCode.failed);
}

async function deletePlanned(
  context: Context,
  api: Api,
  planned: readonly PlannedObject[],
  flags: DeleteFlags,
  set: KnownSet | undefined,
): Promise<void> {
  const { first, rest } = inOrder(planned);
  const marked: Marked[] = [];
  let failures = 0;
  /** @returns whether there was such an object */
  const remove = async (object: Removable): Promise<boolean> => {
    const { path, label, namespace } = object;
    const options = { dryRun: flags.dryRun === "server", signal: context.interrupted };
    const uid = flags.dryRun === "client" ? "" : await deleteObject(api, object, options);
    if (uid === undefined) return false;
    context.stdout(deletedText(label, namespace, flags));
    marked.push({ path, label, uid });
    return true;
  };
  for (const object of [...first, ...rest].reverse()) {
    try {
      if (await remove(object) || flags.ignoreNotFound) continue;
      failures++;
      context.stderr(`error: ${object.label} does not exist${object.namespace ? ` in namespace ${object.namespace}` : ""}\n`);
    } catch (error) {
      if (error instanceof ConnectionError) throw error;
      failures++;
      context.stderr(`${describeNotApplied(object, error, context.describe)}\n`);
    }
  }
  if (set && failures === 0) await deleteSet(context, api, set, new Set(marked.map(({ path }) => path)), remove);
  if (flags.wait && flags.dryRun === undefined) {
    failures += await waitUntilGone(context, api, marked, flags.timeoutMs).catch((error) => {
      if (!context.interrupted.aborted) throw error;
      throw new UserError(
        "interrupted: the objects above are being deleted, but not all are gone yet",
        (context.interrupted.reason as InterruptedError).exitCode,
        { cause: error },
      );
    });
  }
  if (failures > 0) throw new UserError(`${failures} of ${planned.length} objects were not deleted`, ExitCode.failed);
}

/** An object to delete. */
interface Removable {
  readonly path: string;
  readonly label: string;
  readonly namespace: string | undefined;
  readonly uid?: string;
}

/** Deletes a set's members, and then its parent. If a member is of a kind that is never pruned, it and the parent stay. */
async function deleteSet(
  context: Context,
  api: Api,
  { parent, scope }: KnownSet,
  deleted: ReadonlySet<string>,
  remove: (object: Removable) => Promise<boolean>,
): Promise<void> {
  const signal = context.interrupted;
  const { orphans } = await findOrphans(api, parent, scope, await discover(api, signal), new Set(), signal);
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
async function waitUntilGone(context: Context, api: Api, marked: readonly Marked[], timeoutMs: number): Promise<number> {
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

/** Kubectl's line for an object by its label, `deployment.apps/web`. */
function deletedText(label: string, namespace: string | undefined, { dryRun, output }: DeleteFlags): string {
  if (output === "name") return `${label}\n`;
  const how = dryRun === "client" ? " (dry run)" : dryRun === "server" ? " (server dry run)" : "";
  const where = namespace === undefined ? "" : ` from ${namespace} namespace`;
  const slash = label.indexOf("/");
  return `${label.slice(0, slash)} "${label.slice(slash + 1)}" deleted${where}${how}\n`;
}
