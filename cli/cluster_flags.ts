import type { Command } from "commander";
import type { ClusterFlags } from "../k8s/kubeconfig.ts";

/** Adds kubectl's flags that choose a cluster, a user and a namespace. */
export function addClusterFlags(command: Command): Command {
  return command
    .optionsGroup("Cluster:")
    .option("-n, --namespace <name>", "the namespace; the context's own by default")
    .option("--context <name>", "the kubeconfig's context to use")
    .option("--kubeconfig <file>", "the kubeconfig; $KUBECONFIG or ~/.kube/config by default");
}

/** What {@link addClusterFlags} found on the command line. */
export function clusterFlags(options: Record<string, unknown>): ClusterFlags {
  const { namespace, context, kubeconfig } = options as Record<string, string | undefined>;
  return {
    ...(namespace === undefined ? {} : { namespace }),
    ...(context === undefined ? {} : { context }),
    ...(kubeconfig === undefined ? {} : { kubeconfig }),
  };
}
