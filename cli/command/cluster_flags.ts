import { type Command, Option } from "commander";
import type { ClusterAccess } from "../../k8s/api/cluster_access.ts";
import { type ClusterFlags, loadClusterAccess } from "../../k8s/kubeconfig/kubeconfig.ts";
import type { Context } from "./context.ts";
import { parseDuration } from "./duration.ts";
import { usageError } from "./errors.ts";

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

/** Gathers the values of an option that may be repeated. */
export function collect(value: string, before: readonly string[] | undefined): string[] {
  return [...before ?? [], value];
}

/** What {@link addClusterFlags} found on the command line. @throws UserError where a duration is none */
export function clusterFlags(options: Record<string, unknown>): ClusterFlags {
  const given = options as Partial<Record<keyof ClusterFlags | "asGroup", string>>;
  const timeout = given.requestTimeout;
  return {
    kubeconfig: given.kubeconfig,
    context: given.context,
    cluster: given.cluster,
    user: given.user,
    namespace: given.namespace,
    server: given.server,
    token: given.token,
    as: given.as,
    asGroups: options.asGroup as string[] | undefined,
    asUid: given.asUid,
    certificateAuthority: given.certificateAuthority,
    clientCertificate: given.clientCertificate,
    clientKey: given.clientKey,
    tlsServerName: given.tlsServerName,
    // As in kubectl, a bare number is one of seconds.
    requestTimeout: timeout === undefined ? undefined : parseDuration("--request-timeout", /^\d+$/.test(timeout) ? `${timeout}s` : timeout),
  };
}

/**
 * The cluster that the flags and the kubeconfig mean, with its warnings said. Nothing is contacted yet.
 * @throws UserError, KubeconfigError or CredentialError
 */
export async function openCluster(context: Context, options: Record<string, unknown>): Promise<ClusterAccess> {
  const flags = clusterFlags(options);
  if ((flags.asGroups?.length ?? 0) > 1 && joinsHeaders()) {
    throw usageError(
      `--as-group can be given only once on Deno ${Deno.version.deno}, because its WebSockets merge several groups into one: use Deno 2.9`,
    );
  }
  if (flags.token) {
    context.stderr("Warning: other users of this machine can read --token in the process list: put the token into a kubeconfig instead\n");
  }
  const access = await loadClusterAccess(flags, { get: context.env, interactive: context.interactive });
  for (const warning of access.warnings) context.stderr(`Warning: ${warning}\n`);
  return access;
}

/** node:http of Deno 2.6.10 sends a header of two values as one, `a,b`; 2.9.6 sends two. */
function joinsHeaders(): boolean {
  const [major = 0, minor = 0] = Deno.version.deno.split(".").map(Number);
  return major < 2 || (major === 2 && minor < 9);
}
