import { Command, Option } from "commander";
import { Api } from "../../k8s/api/api.ts";
import { listSessions } from "../../k8s/session/owner/find_sessions.ts";
import { addClusterFlags, openCluster } from "../command/cluster_flags.ts";
import type { Context } from "../command/context.ts";
import { LIST_FORMATS, type ListFormat, sessionListText } from "./session_table.ts";

/** `kurun ls` */
export function lsCommand(context: Context): Command {
  const command = new Command("ls")
    .summary("list sessions, their owners, and whether a client is connected")
    .description(
      "Lists the sessions of a namespace. NAME is the session's Service, and the name to give to kurun stop. -o json and -o yaml print a " +
        "List whose items look like Kubernetes objects, with metadata, spec and status.",
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
