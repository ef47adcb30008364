import { Command, Option } from "commander";
import { Api } from "../../k8s/api/api.ts";
import { ApiError, onStatus } from "../../k8s/api/api_error.ts";
import { findHookLeftovers } from "../../k8s/webhook/find_leftovers.ts";
import { removeMark } from "../../k8s/webhook/remove_leftovers.ts";
import type { SessionMark } from "../../k8s/webhook/session_marks.ts";
import { switchOff } from "../../k8s/webhook/switch.ts";
import { findLeftovers, type Leftover } from "../../k8s/session/owner/leftovers.ts";
import { objectPath } from "../../k8s/session/objects/session_plan.ts";
import { deleteIfSame } from "../../k8s/session/owner/remove_session.ts";
import { addClusterFlags, openCluster } from "../command/cluster_flags.ts";
import type { Context } from "../command/context.ts";
import { keptWarnings, markedObject } from "./marked_object.ts";

/** `kurun cleanup` */
export function cleanupCommand(context: Context): Command {
  const command = new Command("cleanup")
    .summary("remove what ended sessions left behind")
    .description(
      "Removes what is no longer in use: your sessions without a connected client, other users' sessions whose client has also been silent for 40 s, " +
        "sessions that have ended, objects with kurun's labels whose session is gone, and what sessions of kurun webhook that are gone left in webhook " +
        "configurations and CustomResourceDefinitions. A session with a connected client is never removed.",
    )
    .option("-A, --all-namespaces", "clean up all namespaces")
    .addOption(
      new Option("--dry-run <strategy>", "client: print the objects that would be removed, and remove nothing").choices(["client"]),
    )
    .addHelpText(
      "after",
      "\nExamples:\n  # show what would be removed, then remove it\n  kurun cleanup --dry-run=client\n  kurun cleanup\n",
    );
  return addClusterFlags(command).action((options: Record<string, unknown>) => cleanup(context, options));
}

async function cleanup(context: Context, options: Record<string, unknown>): Promise<void> {
  const access = await openCluster(context, options);
  using api = new Api(access, { userAgent: "kurun" });
  const namespace = options.allNamespaces === true ? undefined : access.namespace;
  const { who, from, interrupted: signal } = context;
  const { leftovers, hidden } = await findLeftovers(api, { namespace, who, from, signal });
  const ended = leftovers.map(({ path }) => path);
  const hooks = await findHookLeftovers(api, { namespace, ended, signal });
  for (const resource of [...hidden, ...hooks.hidden]) {
    context.stderr(`Warning: ${resource} could not be checked: this needs the right to list ${resource}\n`);
  }
  for (const { namespace, name } of hooks.unknown) {
    const why = `this needs the right to get jobs in namespace ${namespace}`;
    context.stderr(`Warning: what session ${name} put into webhook configurations was left alone: ${why}\n`);
  }
  const dryRun = options.dryRun !== undefined;
  const isEnded = ({ session: { namespace, name } }: SessionMark) => ended.includes(objectPath("Job", namespace, name));
  // Until then, the copies of a session that is removed here still apply.
  if (!dryRun) {
    const switched = new Map(
      hooks.marks.filter(isEnded).map(({ session }) => [objectPath("Job", session.namespace, session.name), session]),
    );
    // Without the right to that, the removal of the session does it.
    await Promise.all([...switched.values()].map((session) => switchOff(api, session, signal).catch(onStatus([403], undefined))));
  }
  const note = dryRun ? " (dry run)" : "";
  await removeMarks(context, api, hooks.marks, dryRun);
  for (const leftover of leftovers) {
    const { kind, name, path, why } = leftover;
    if (!dryRun) await deleteIfSame(api, path, leftover, signal);
    context.stdout(`${kind}/${name} removed from namespace ${leftover.namespace}: ${describeWhy(why)}${note}\n`);
  }
  if (leftovers.length + hooks.marks.length === 0) {
    context.stderr(`Nothing is left behind${namespace === undefined ? "" : ` in ${namespace} namespace`}.\n`);
  }
}

/** Removes what sessions left outside their namespaces, and says so. What the user may not remove is no reason to leave the rest. */
export async function removeMarks(
  { stdout, stderr, interrupted }: Pick<Context, "stdout" | "stderr" | "interrupted">,
  api: Api,
  marks: readonly SessionMark[],
  dryRun: boolean,
): Promise<void> {
  for (const mark of marks) {
    const { session: { name, namespace }, is } = mark;
    const done = is === "conversion" ? "put back" : "removed";
    try {
      const kept = dryRun ? [] : await removeMark(api, mark, interrupted);
      stdout(`${markedObject(mark)} ${done}: session ${name} in namespace ${namespace} is gone${dryRun ? " (dry run)" : ""}\n`);
      if (kept.length > 0) stderr(`${keptWarnings(new Map([[mark.name, kept]])).join("")}\n`);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      stderr(`Warning: ${markedObject(mark)} could not be ${done}: ${error.message}\n`);
    }
  }
}

function describeWhy(why: Leftover["why"]): string {
  if (why === "ended") return "it has ended";
  if (why === "orphan") return "its session is gone";
  return why.since === "" ? "no client is connected" : `no client has been connected since ${why.since}`;
}
