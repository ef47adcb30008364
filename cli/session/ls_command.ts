import { Command, Option } from "commander";
import { stringify } from "yaml";
import { Api } from "../../k8s/api/api.ts";
import { type FoundSession, listSessions, type SessionList } from "../../k8s/session/owner/find_sessions.ts";
import type { SessionOwner } from "../../k8s/session/owner/session_owner.ts";
import { describeFilter } from "../../k8s/webhook/describe_filter.ts";
import { readFilter } from "../../k8s/webhook/hook_filter.ts";
import { addClusterFlags, openCluster } from "../command/cluster_flags.ts";
import type { Context } from "../command/context.ts";
import { terminalLine } from "../command/terminal_text.ts";
import { age } from "./age.ts";

/** The output formats of `-o`, named as in kubectl. */
const LIST_FORMATS = ["wide", "json", "yaml", "name"] as const;
/** One of {@linkcode LIST_FORMATS}; undefined for the table. */
type ListFormat = (typeof LIST_FORMATS)[number] | undefined;

/** `kurun ls` */
export function lsCommand(context: Context): Command {
  const command = new Command("ls")
    .summary("list sessions, their owners, and whether a client is connected")
    .description(
      "Lists the sessions of a namespace. NAME is the session's Service, and the name to give to kurun stop. SERVES is what a session of " +
        "kurun webhook answers. -o json and -o yaml print a List whose items look like Kubernetes objects, with metadata, spec and status.",
    )
    .option("-A, --all-namespaces", "list the sessions of all namespaces")
    .addOption(new Option("-o, --output <format>", "the output format").choices(LIST_FORMATS))
    .addHelpText("after", EXAMPLES);
  return addClusterFlags(command).action((options: Record<string, unknown>) => list(context, options));
}

const EXAMPLES = `
Examples:
  # all sessions of the cluster, with what each forwards to
  kurun ls -A -o wide
`;

async function list(context: Context, options: Record<string, unknown>): Promise<void> {
  const access = await openCluster(context, options);
  using api = new Api(access, { userAgent: "kurun" });
  const all = options.allNamespaces === true;
  const format = options.output as ListFormat;
  const found = await listSessions(api, all ? undefined : access.namespace, context.interrupted);
  const text = sessionListText(found, { format, namespaces: all });
  if (found.sessions.length === 0) context.stderr(all ? "No sessions found\n" : `No sessions found in ${access.namespace} namespace.\n`);
  if (format === "json" || format === "yaml") context.data(text);
  else if (found.sessions.length > 0) context.stdout(text);
}

/** Formats a list of sessions. @param options.namespaces whether the table has a column for the namespace */
export function sessionListText(list: SessionList, { format, namespaces }: { format: ListFormat; namespaces: boolean }): string {
  switch (format) {
    case "json":
      return `${JSON.stringify(listObject(list), null, 4)}\n`;
    case "yaml":
      return stringify(listObject(list), { lineWidth: 0 });
    case "name":
      return list.sessions.map(({ owner }) => `session/${owner.service}\n`).join("");
    default:
      return table(list, { wide: format === "wide", namespaces });
  }
}

/** Whether a session's client is connected, in a few words. */
export function sessionStatus({ ending, presence, owner: { until } }: FoundSession, now: Date): string {
  if (ending) return "Ending";
  switch (presence.is) {
    case "connected":
      return "Connected";
    case "unknown":
      return `Seen ${age(now.getTime() - Date.parse(presence.seen))} ago`;
    case "away":
      return until === undefined ? "Away" : `Away, removed in ${age(Date.parse(until) - now.getTime())}`;
  }
}

function table({ sessions, now }: SessionList, { wide, namespaces }: { wide: boolean; namespaces: boolean }): string {
  const served = wide || sessions.some(({ owner }) => owner.serves !== undefined);
  const head = [
    ...(namespaces ? ["NAMESPACE"] : []),
    ...["NAME", "STATUS", "AGE", "WHO", "FROM"],
    ...(wide ? ["UPSTREAM", "PORTS", "SESSION", "UNTIL"] : []),
    ...(served ? ["SERVES"] : []),
  ];
  const rows = sessions.map((session) => {
    const { namespace, created, owner: { service, who, from, upstream, ports, name, until } } = session;
    return [
      ...(namespaces ? [namespace] : []),
      ...[service, sessionStatus(session, now), age(now.getTime() - Date.parse(created)), who, from],
      ...(wide ? [upstream, ports, name, until ?? ""] : []),
      ...(served ? [describeServes(session.owner)] : []),
    ].map((cell) => cell === "" ? "<none>" : terminalLine(cell));
  });
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => (row[column] as string).length)));
  return [head, ...rows].map((row) => `${row.map((cell, column) => cell.padEnd(widths[column] as number)).join("   ").trimEnd()}\n`).join(
    "",
  );
}

/** What a webhook session answers: `MutatingWebhookConfiguration/policies in dev-* by alice`. */
function describeServes({ serves = "", filter }: SessionOwner): string {
  const read = readFilter(filter ?? "");
  return [serves, read ? describeFilter(read) : filter ?? ""].filter((part) => part !== "").join(" ");
}

/** Objects in the shape of Kubernetes objects, so that `.items[].metadata.name` works. The cluster has no such kind. */
function listObject({ sessions, now }: SessionList): unknown {
  const items = sessions.map((session) => {
    const { namespace, created, presence, ending, owner } = session;
    const { service, uid, name, ports, upstream, who, from, since, seen, until, serves, filter } = owner;
    return {
      apiVersion: "kurun.dev/v1",
      kind: "Session",
      metadata: { name: service, namespace, uid, creationTimestamp: created },
      spec: {
        ...{ session: name, service, ports: ports === "" ? [] : ports.split(",").map(Number), upstream, who, from },
        ...(serves === undefined ? {} : { serves: serves.split(",").filter(Boolean), filter: readFilter(filter ?? "") ?? null }),
      },
      status: {
        state: ending ? "Ending" : { connected: "Connected", away: "Away", unknown: "Unknown" }[presence.is],
        text: sessionStatus(session, now),
        since,
        ...(seen === undefined ? {} : { seen }),
        ...(until === undefined ? {} : { until }),
      },
    };
  });
  return { apiVersion: "v1", kind: "List", items };
}
