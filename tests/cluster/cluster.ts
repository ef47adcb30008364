/**
 * The cluster that tests use: the one that `KURUN_TEST_KUBECONFIG` names, or one of our own that is created on demand.
 *
 * @module
 */
import { foreignCluster } from "./foreign_cluster.ts";
import { ensureOwnUp } from "./own_cluster.ts";
import { type Progress, progressOnStderr } from "./progress.ts";

export { ClusterError, ClusterUnavailableError, ForeignClusterError } from "./errors.ts";
export { TOOLBOX_IMAGE } from "./toolbox_image.ts";

/** The environment variable that names an existing cluster to use instead. */
const KUBECONFIG_VARIABLE = "KURUN_TEST_KUBECONFIG";

/** The signals of {@link Cluster.control}. */
export type ControlSignal = "KILL" | "TERM" | "INT";

/** A program of the cluster. `kube-apiserver` means both API servers if there are two. */
export type Component =
  | "etcd"
  | "kube-apiserver"
  | "kube-apiserver-1"
  | "kube-apiserver-2"
  | "kube-controller-manager"
  | "kube-scheduler"
  | "kubelet"
  | "kube-proxy"
  | "containerd"
  | "coredns";

/** A running cluster. On a foreign one some methods throw {@link ForeignClusterError}. */
export interface Cluster {
  /** Whether someone else created it. */
  readonly foreign: boolean;
  /** The kubeconfig of its administrator, valid on the host and inside the node. */
  readonly kubeconfig: string;
  /**
   * Creates a command that runs inside the node, where ClusterIPs, Pod addresses and (with DNS) names of Services can be reached. It runs in
   * the same working directory, with the cluster's `kubectl` in PATH and KUBECONFIG set, and receives signals.
   */
  exec(argv: readonly [string, ...string[]], options?: Omit<Deno.CommandOptions, "args">): Deno.Command;
  /** Loads an archive of container images into the node. @returns the images' names */
  load(archive: string): Promise<string[]>;
  /**
   * Kills a program of the cluster and starts it again, or does only one of the two. Returns once it has ended or was started, which does not
   * mean that it is ready.
   *
   * @param signal by default KILL, as if it had crashed; with TERM the API server waits a minute for its watchers
   */
  control(action: "restart" | "halt" | "resume", component: Component, signal?: ControlSignal): Promise<void>;
}

/** How {@link ensureUp} brings the cluster up. */
export interface UpOptions {
  /**
   * Whether tests run on it: names of Services must then be resolved, and a terminal and shells installed. CoreDNS takes two minutes to build the
   * first time. What a foreign cluster has is not checked.
   *
   * @default {true}
   */
  readonly forTests?: boolean;
  /** @default what happens is shown on stderr */
  readonly progress?: Progress;
}

/** The kubeconfig that the environment names, if it does. */
export function foreignKubeconfig(): string | undefined {
  return Deno.env.get(KUBECONFIG_VARIABLE) || undefined;
}

/**
 * Brings the cluster up unless it is up already.
 *
 * @throws {ClusterUnavailableError} if this machine cannot run one; count the test as skipped, with the message
 * @throws {ClusterError} if it should be possible but failed
 */
export async function ensureUp({ forTests = true, progress = progressOnStderr() }: UpOptions = {}): Promise<Cluster> {
  const kubeconfig = foreignKubeconfig();
  return kubeconfig ? await foreignCluster(kubeconfig) : await ensureOwnUp(progress, { forTests });
}
