import { stringify } from "yaml";
import type { FoundSession, SessionList } from "../../k8s/session/owner/find_sessions.ts";
import { age } from "./age.ts";
import { terminalLine } from "../command/terminal_text.ts";

/** The output formats of `-o`, named as in kubectl. */
export const LIST_FORMATS = ["wide", "json", "yaml", "name"] as const;
/** One of {@linkcode LIST_FORMATS}; undefined for the table. */
export type ListFormat = (typeof LIST_FORMATS)[number] | undefined;

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
  const head = [
    ...(namespaces ? ["NAMESPACE"] : []),
    ...["NAME", "STATUS", "AGE", "WHO", "FROM"],
    ...(wide ? ["UPSTREAM", "PORTS", "SESSION", "UNTIL"] : []),
  ];
  const rows = sessions.map((session) => {
    const { namespace, created, owner: { service, who, from, upstream, ports, name, until } } = session;
    return [
      ...(namespaces ? [namespace] : []),
      ...[service, sessionStatus(session, now), age(now.getTime() - Date.parse(created)), who, from],
      ...(wide ? [upstream, ports, name, until ?? ""] : []),
    ].map((cell) => cell === "" ? "<none>" : terminalLine(cell));
  });
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => (row[column] as string).length)));
  return [head, ...rows].map((row) => `${row.map((cell, column) => cell.padEnd(widths[column] as number)).join("   ").trimEnd()}\n`).join(
    "",
  );
}

/** Objects in the shape of Kubernetes objects, so that `.items[].metadata.name` works. The cluster has no such kind. */
function listObject({ sessions, now }: SessionList): unknown {
  const items = sessions.map((session) => {
    const { namespace, created, presence, ending, owner } = session;
    const { service, uid, name, ports, upstream, who, from, since, seen, until } = owner;
    return {
      apiVersion: "kurun.dev/v1",
      kind: "Session",
      metadata: { name: service, namespace, uid, creationTimestamp: created },
      spec: { session: name, service, ports: ports === "" ? [] : ports.split(",").map(Number), upstream, who, from },
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
