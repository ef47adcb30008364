import { type Command, Option } from "commander";
import type { ClusterAccess } from "../../k8s/api/cluster_access.ts";
import { type ClusterFlags, loadClusterAccess } from "../../k8s/kubeconfig/kubeconfig.ts";
import type { Context } from "./context.ts";
import { parseDuration } from "./flag_values.ts";
import { usageError } from "./errors.ts";

/** node:http of Deno 2.6 sends a header of two values as one, `a,b`; Deno 2.9 sends two. */
const JOINS_HEADERS = /^2\.[0-8]\./.test(Deno.version.deno);

/** Adds kubectl's flags that choose a cluster, a user and a namespace. */
export function addClusterFlags(command: Command): Command {
  return command
    .optionsGroup("Cluster:")
    .option("-n, --namespace <name>", "the namespace (default: the context's)")
    .option("--context <name>", "the kubeconfig context to use")
    .option("--kubeconfig <file>", "the kubeconfig file (default: $KUBECONFIG, or ~/.kube/config)")
    .option("--cluster <name>", "the kubeconfig cluster to use instead of the context's")
    .option("--user <name>", "the kubeconfig user to use instead of the context's")
    .option("-s, --server <url>", "the URL of the API server, instead of the cluster's")
    .option("--certificate-authority <file>", "the CA certificates to verify the API server's certificate with")
    .option("--tls-server-name <name>", "the name to expect in the API server's certificate, instead of its host")
    .option("--client-certificate <file>", "the client certificate to authenticate with")
    .option("--client-key <file>", "the private key of the client certificate")
    .option("--token <token>", "the bearer token to authenticate with; visible in the process list, unlike one in a kubeconfig")
    .option("--as <user>", "the user to impersonate")
    .addOption(new Option("--as-group <group>", "a group to impersonate; can be repeated").argParser(collect))
    .option("--as-uid <uid>", "the uid to impersonate")
    .option(
      "--request-timeout <duration>",
      "how long a single request may take: 30s, 2m, or a number of seconds; 0 waits forever (default: 30s)",
    );
}

/** Collects the values of an option that can be repeated. */
export function collect(value: string, before: readonly string[] | undefined): string[] {
  return [...before ?? [], value];
}

/** The flags of {@link addClusterFlags}. @throws UserError if the timeout is not a duration */
export function clusterFlags(options: Record<string, unknown>): ClusterFlags {
  const { requestTimeout: timeout, asGroup, ...flags } = options as ClusterFlags & { requestTimeout?: string; asGroup?: string[] };
  return {
    ...flags,
    asGroups: asGroup,
    // As in kubectl, a bare number means seconds.
    requestTimeout: timeout === undefined ? undefined : parseDuration("--request-timeout", /^\d+$/.test(timeout) ? `${timeout}s` : timeout),
  };
}

/**
 * Opens the cluster that the flags and the kubeconfig select, and prints its warnings. Nothing is contacted yet.
 * @throws UserError, KubeconfigError or CredentialError
 */
export async function openCluster(context: Context, options: Record<string, unknown>): Promise<ClusterAccess> {
  const flags = clusterFlags(options);
  if ((flags.asGroups?.length ?? 0) > 1 && JOINS_HEADERS) {
    throw usageError(
      `--as-group can be given only once on Deno ${Deno.version.deno}, because its WebSockets merge several groups into one: use Deno 2.9`,
    );
  }
  if (flags.token) {
    context.stderr("Warning: other users of this machine can read --token in the process list: put the token into a kubeconfig instead\n");
  }
  const access = await loadClusterAccess(flags, { get: context.env, interactive: context.stdio.stdinIsTerminal });
  for (const warning of access.warnings) context.stderr(`Warning: ${warning}\n`);
  return access;
}
