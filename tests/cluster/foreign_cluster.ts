import { Api } from "../../k8s/api/api.ts";
import { loadClusterAccess } from "../../k8s/kubeconfig/kubeconfig.ts";
import type { Cluster } from "./cluster.ts";
import { ClusterError, ForeignClusterError } from "./errors.ts";

/** A cluster across a VPN may take a second or two; what takes this long is not there. */
const ANSWER_LIMIT_MS = 15_000;

/**
 * Asks a cluster what it is, as the user of its kubeconfig.
 *
 * @returns its version, such as v1.34.4
 * @throws {ClusterError} when it does not answer
 */
export async function answeringVersion(kubeconfig: string): Promise<string> {
  let api: Api | undefined;
  try {
    const access = await loadClusterAccess({ kubeconfig }, { get: (name) => Deno.env.get(name) });
    api = new Api(access, { userAgent: "kurun-tests", requestTimeoutMs: ANSWER_LIMIT_MS });
    const { gitVersion } = (await api.get("/version")).body as { gitVersion?: string };
    // Whoever may ask for the version may still be nobody there: this one takes a user that is known.
    await api.create("/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", {
      apiVersion: "authorization.k8s.io/v1",
      kind: "SelfSubjectRulesReview",
      spec: { namespace: access.namespace },
    });
    return gitVersion ?? "of unknown version";
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new ClusterError(`The cluster that KURUN_TEST_KUBECONFIG=${kubeconfig} names cannot be used: ${why}`, { cause: error });
  } finally {
    api?.close();
  }
}

/** Somebody else's cluster, which answers. */
export async function foreignCluster(kubeconfig: string): Promise<Cluster> {
  await answeringVersion(kubeconfig);
  const refusal = (what: string, instead: string) =>
    new ForeignClusterError(
      `${what} takes a cluster that was made by us; the one of KURUN_TEST_KUBECONFIG=${kubeconfig} was not. ${instead}`,
    );
  return {
    foreign: true,
    kubeconfig,
    exec() {
      throw refusal("Running a command inside", "Start it in a Pod: kubectl run, kubectl exec.");
    },
    load(archive) {
      const instead = "Give it the image by its own means: kind load image-archive, k3d image import, minikube image load, or a registry.";
      return Promise.reject(refusal(`Loading ${archive}`, instead));
    },
    control(action, component) {
      return Promise.reject(refusal(`To ${action} ${component}`, "Do it by the means of that cluster, or test without."));
    },
  };
}
