/**
 * The kubeconfig of a Pod's ServiceAccount.
 *
 * @module
 */

import type { MergedKubeconfig } from "./kubeconfig_files.ts";

/** The folder where Kubernetes mounts a Pod's ServiceAccount. */
export const SERVICE_ACCOUNT_DIRECTORY = "/var/run/secrets/kubernetes.io/serviceaccount";

/**
 * The kubeconfig of the ServiceAccount that this process runs as.
 *
 * @param directory the folder of the ServiceAccount's files
 * @returns undefined outside a Pod
 */
export async function inClusterKubeconfig(
  env: { get(name: string): string | undefined },
  directory: string = SERVICE_ACCOUNT_DIRECTORY,
): Promise<MergedKubeconfig | undefined> {
  const host = env.get("KUBERNETES_SERVICE_HOST");
  const port = env.get("KUBERNETES_SERVICE_PORT");
  if (!host || !port) return undefined;
  try {
    await Deno.stat(`${directory}/token`);
  } catch {
    return undefined;
  }
  const namespace = env.get("POD_NAMESPACE") || await Deno.readTextFile(`${directory}/namespace`).then((text) => text.trim(), () => "");
  const server = `https://${host.includes(":") ? `[${host}]` : host}:${port}`;
  return {
    clusters: new Map([["in-cluster", { server, "certificate-authority": `${directory}/ca.crt` }]]),
    users: new Map([["service-account", { tokenFile: `${directory}/token` }]]),
    contexts: new Map([["in-cluster", { cluster: "in-cluster", user: "service-account", namespace }]]),
    currentContext: "in-cluster",
    files: [],
  };
}
