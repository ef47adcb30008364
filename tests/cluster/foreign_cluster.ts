import { Api } from "../../k8s/api/api.ts";
import { loadClusterAccess } from "../../k8s/kubeconfig/kubeconfig.ts";
import type { Cluster } from "./cluster.ts";
import { ClusterError, ForeignClusterError } from "./errors.ts";

/** A cluster behind a VPN may take a second or two; one that takes longer than this does not answer. */
const ANSWER_LIMIT_MS = 15_000;

/**
 * Asks a cluster for its version, as the user of its kubeconfig.
 *
 * @returns its version, such as v1.34.4
 * @throws {ClusterError} if it does not answer
 */
export async function answeringVersion(kubeconfig: string): Promise<string> {
  let api: Api | undefined;
  try {
    const access = await loadClusterAccess({ kubeconfig, requestTimeout: ANSWER_LIMIT_MS }, { get: (name) => Deno.env.get(name) });
    api = new Api(access, { userAgent: "kurun-tests" });
    const { gitVersion } = (await api.get("/version")).body as { gitVersion?: string };
    // Even unknown users may ask for the version; this request needs a known one.
    await api.create("/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", {
      apiVersion: "authorization.k8s.io/v1",
      kind: "SelfSubjectRulesReview",
      spec: { namespace: access.namespace },
    });
    return gitVersion ?? "of unknown version";
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new ClusterError(`The cluster of KURUN_TEST_KUBECONFIG=${kubeconfig} cannot be used: ${why}`, { cause: error });
  } finally {
    api?.close();
  }
}

/** A cluster that someone else created. @throws {ClusterError} if it does not answer */
export async function foreignCluster(kubeconfig: string): Promise<Cluster> {
  await answeringVersion(kubeconfig);
  const refusal = (what: string, instead: string) =>
    new ForeignClusterError(
      `${what} needs a cluster of our own; KURUN_TEST_KUBECONFIG=${kubeconfig} names another one. ${instead}`,
    );
  return {
    foreign: true,
    kubeconfig,
    exec() {
      throw refusal("Running a command inside", "Run it in a Pod instead: kubectl run, kubectl exec.");
    },
    load(archive) {
      const instead =
        "Load the image with that cluster's own command: kind load image-archive, k3d image import, minikube image load, or a registry.";
      return Promise.reject(refusal(`Loading ${archive}`, instead));
    },
    control(action, component) {
      return Promise.reject(refusal(`To ${action} ${component}`, "Do it with that cluster's own tools, or skip the test."));
    },
  };
}
