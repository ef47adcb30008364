/** Kubeconfigs of every kind, derived from the test cluster's. */
import { kubectl, type TestNamespace } from "./kubernetes.ts";

/** The test cluster, as its kubeconfig describes it. */
export interface ClusterFacts {
  readonly server: URL;
  /** PEM. */
  readonly ca: string;
  /** The kubeconfig's user, an administrator. */
  readonly admin: Record<string, unknown>;
}

/** Reads kubectl's kubeconfig. */
export async function clusterFacts(): Promise<ClusterFacts> {
  const config = JSON.parse(await kubectl(["config", "view", "--raw", "--minify", "--flatten", "-o", "json"]));
  const { cluster } = config.clusters[0];
  return { server: new URL(cluster.server), ca: atob(cluster["certificate-authority-data"]), admin: config.users[0].user };
}

/** Creates a ServiceAccount with the ClusterRole `admin` in its namespace and no other rights. @returns its token */
export async function accountToken(namespace: TestNamespace, account = "laptop"): Promise<string> {
  await kubectl(["create", "serviceaccount", account, "-n", namespace.name]);
  await kubectl([
    "create",
    "rolebinding",
    account,
    "--clusterrole=admin",
    `--serviceaccount=${namespace.name}:${account}`,
    "-n",
    namespace.name,
  ]);
  return (await kubectl(["create", "token", account, "-n", namespace.name])).trim();
}

/** The contents of a kubeconfig with one context. */
export interface KubeconfigParts {
  readonly cluster: Record<string, unknown>;
  readonly user: Record<string, unknown>;
  readonly namespace?: string;
}

/** The kubeconfig as text. */
export function kubeconfigText({ cluster, user, namespace }: KubeconfigParts): string {
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": "here",
    contexts: [{ name: "here", context: { cluster: "there", user: "me", ...(namespace === undefined ? {} : { namespace }) } }],
    clusters: [{ name: "there", cluster }],
    users: [{ name: "me", user }],
  });
}

/** The cluster entry of a kubeconfig for the test cluster. */
export function trusted(facts: ClusterFacts, server: string = facts.server.href): Record<string, unknown> {
  return { server, "certificate-authority-data": btoa(facts.ca) };
}
