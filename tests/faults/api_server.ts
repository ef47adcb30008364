import { Api } from "../../k8s/api/api.ts";
import { loadClusterAccess } from "../../k8s/kubeconfig/kubeconfig.ts";
import { kubectl } from "../e2e/kubernetes.ts";
import type { Kubeconfig } from "../e2e/kubeconfig_file.ts";

let server: { readonly url: URL; readonly ca: string } | undefined;

/** The test cluster's API server: its URL, and the CA (PEM) of its certificate. */
export async function apiServer(): Promise<{ readonly url: URL; readonly ca: string }> {
  if (server) return server;
  const kubeconfig: Kubeconfig = JSON.parse(await kubectl(["config", "view", "--raw", "--minify", "--flatten", "-o", "json"]));
  const { server: url, "certificate-authority-data": ca } = kubeconfig.clusters[0]!.cluster;
  return server = { url: new URL(String(url)), ca: atob(String(ca)) };
}

/** A client of it, as administrator. The caller closes it. */
export async function apiOfTests(): Promise<Api> {
  const access = await loadClusterAccess({ requestTimeout: 5_000 }, { get: (name) => Deno.env.get(name) });
  return new Api(access, { userAgent: "kurun-tests" });
}
