import { Argument, Command } from "commander";
import { Api } from "../../k8s/api/api.ts";
import { findSession, type FoundSession, listSessions } from "../../k8s/session/owner/find_sessions.ts";
import { type RemovedSession, removeSession, sessionGone } from "../../k8s/session/owner/remove_session.ts";
import { addClusterFlags, openCluster } from "../command/cluster_flags.ts";
import type { SessionOwner } from "../../k8s/session/owner/session_owner.ts";
import type { Context } from "../command/context.ts";
import { ExitCode, usageError, UserError } from "../command/errors.ts";
import { releaseWebhooks } from "./release_webhooks.ts";

/** Longer than the garbage collector takes; a Pod's own end is not waited for. */
const GONE_WITHIN_MS = 30_000;

type StopContext = Pick<Context, "stdout" | "stderr" | "interrupted">;

interface StopOptions extends Record<string, unknown> {
  all?: boolean;
  force?: boolean;
}

/** `kurun stop NAME…` */
export function stopCommand(context: Context): Command {
  const command = new Command("stop")
    .summary("end sessions and remove everything they created")
    .description(
      "Ends sessions and removes everything they created. Name a session by its Service, or by its own name. The kurun of an ended session exits with a message. " +
        "A session that another user is connected to is ended only with --force.",
    )
    .addArgument(new Argument("[session...]", "the name of the session's Service, or of the session"))
    .option("--all", "end all sessions of the namespace")
    .option("--force", "also end sessions that another user is connected to")
    .addHelpText("after", EXAMPLES);
  return addClusterFlags(command).action((names: string[], options: StopOptions) => stop(context, names, options));
}

const EXAMPLES = `
Examples:
  # the session that kurun port-forward creates by default
  kurun stop kurun

  # a session that another user is connected to
  kurun stop kurun -n dev --force
`;

async function stop(context: Context, names: readonly string[], options: StopOptions): Promise<void> {
  if (names.length === 0 && !options.all) throw usageError("no session given: name its Service (kurun ls lists them), or use --all");
  if (names.length > 0 && options.all) throw usageError("--all cannot be combined with names of sessions");
  const access = await openCluster(context, options);
  using api = new Api(access, { userAgent: "kurun" });
  const { namespace } = access;
  const { interrupted } = context;
  // kurun ls -o name prints session/NAME.
  const asked = [...new Set(names.map((name) => name.replace(/^session\//, "")))];
  const looked = options.all
    ? (await listSessions(api, namespace, interrupted)).sessions
    : await Promise.all(asked.map((name) => findSession(api, namespace, name, interrupted)));
  const missing = asked.filter((_, index) => looked[index] === undefined);
  const found = [...new Map(looked.flatMap((session) => session ? [[session.owner.uid, session]] : [])).values()];
  if (options.all && found.length === 0) context.stderr(`No sessions found in ${namespace} namespace.\n`);
  const refused = found.filter((session) => !options.force && isOthersAndLive(session, context));
  const failures = [
    ...missing.map((name) => `there is no session ${name} in namespace ${namespace}: kurun ls lists the sessions`),
    ...refused.map(({ owner: { service, who, from, since } }) =>
      `session/${service} is in use by ${who} on ${from} since ${since}: --force ends it anyway`
    ),
  ];
  await Promise.all(
    found.filter((session) => !refused.includes(session)).map(({ namespace, owner }) => stopOne(context, api, { namespace, ...owner })),
  );
  if (failures.length > 0) throw new UserError(failures.join("\nerror: "), ExitCode.failed);
}

/** Ends one session and waits until its objects are gone. @throws the reason of an interruption before that, or as Api.delete does */
export async function stopOne(
  { stdout, stderr, interrupted }: StopContext,
  api: Api,
  session: RemovedSession & Pick<SessionOwner, "serves">,
): Promise<void> {
  if (session.serves !== undefined) await releaseWebhooks(api, session, (line) => stderr(`${line}\n`), interrupted);
  await removeSession(api, session, interrupted);
  const gone = await sessionGone(api, session, GONE_WITHIN_MS, interrupted);
  stdout(`session/${session.service} stopped\n`);
  if (gone) return;
  stderr(`The cluster is still removing what session ${session.name} created\n`);
  interrupted.throwIfAborted();
}

function isOthersAndLive({ owner, presence, ending }: FoundSession, { who, from }: Context): boolean {
  return !ending && presence.is !== "away" && !(owner.who === who && owner.from === from);
}
