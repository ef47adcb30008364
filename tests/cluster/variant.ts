import { ClusterError } from "./errors.ts";

/** The versions of Kubernetes that the test cluster can be built from: the oldest and the newest that kurun is tested on, and the usual one. */
export const KUBERNETES_VERSIONS = { "1.31": "1.31.13", "1.34": "1.34.4", "1.37": "1.37.2" } as const;

/** A minor version, as in `KURUN_TEST_KUBERNETES`. */
export type KubernetesVersion = keyof typeof KUBERNETES_VERSIONS;

/** How the test cluster's programs are arranged, as in `KURUN_TEST_TOPOLOGY`; programs/onenode/topology.go says what each is. */
export const TOPOLOGIES = ["one-node", "two-api-servers", "dual-stack", "dual-stack-ipv6", "konnectivity"] as const;
/** One of {@link TOPOLOGIES}. */
export type Topology = typeof TOPOLOGIES[number];

/** Which test cluster is brought up. */
export interface ClusterVariant {
  readonly kubernetes: KubernetesVersion;
  readonly topology: Topology;
}

/** What is brought up if the environment does not choose. */
export const USUAL_VARIANT: ClusterVariant = { kubernetes: "1.34", topology: "one-node" };

/**
 * The variant that the environment chooses.
 * @throws {ClusterError} if there is no such variant
 */
export function chosenVariant(env: (name: string) => string | undefined = Deno.env.get): ClusterVariant {
  const choice = <T extends string>(variable: string, known: readonly T[], usual: T): T => {
    const value = env(variable) || usual;
    const found = known.find((each) => each === value);
    if (!found) throw new ClusterError(`${variable} must be one of ${known.join(", ")}; got ${value}.`);
    return found;
  };
  return {
    kubernetes: choice("KURUN_TEST_KUBERNETES", Object.keys(KUBERNETES_VERSIONS) as KubernetesVersion[], USUAL_VARIANT.kubernetes),
    topology: choice("KURUN_TEST_TOPOLOGY", TOPOLOGIES, USUAL_VARIANT.topology),
  };
}
