/**
 * The cluster that tests use: the one that `KURUN_TEST_KUBECONFIG` names, or else one of our own, made on the spot.
 *
 * @module
 */
import { foreignCluster } from "./foreign_cluster.ts";
import { ensureOwnUp, whyNoOwnCluster } from "./own_cluster.ts";
import { type Progress, progressOnStderr } from "./progress.ts";

export { ClusterError, ClusterUnavailableError, ForeignClusterError } from "./errors.ts";
export { TOOLBOX_IMAGE } from "./toolbox_image.ts";

/** Names a cluster to use instead of making one. */
export const KUBECONFIG_VARIABLE = "KURUN_TEST_KUBECONFIG";

/** What the signals of {@link Cluster.control} are called. */
export type ControlSignal = "KILL" | "TERM" | "INT";

/** A program of the cluster. */
export type Component =
  | "etcd"
  | "kube-apiserver"
  | "kube-controller-manager"
  | "kube-scheduler"
  | "kubelet"
  | "kube-proxy"
  | "containerd"
  | "coredns";

/** A cluster that runs. What a foreign one cannot do throws {@link ForeignClusterError}. */
export interface Cluster {
  /** Somebody else made it. */
  readonly foreign: boolean;
  /** The file with which kubectl and kurun reach it, as administrator, from the host and from inside. */
  readonly kubeconfig: string;
  /**
   * A command that runs inside the node, where ClusterIPs, Pod addresses and the names of Services can be reached; in the
   * same working directory, with the cluster's `kubectl` in PATH and KUBECONFIG set. Signals sent to it arrive.
   */
  exec(argv: readonly [string, ...string[]], options?: Omit<Deno.CommandOptions, "args">): Deno.Command;
  /** Brings a container image's archive to the node. @returns the names of its images */
  load(archive: string): Promise<string[]>;
  /**
   * Ends a program of the cluster by a signal and starts it again, or only one of the two. Returns when it has ended, or was
   * started; whether it is of use again is for the caller to see.
   *
   * @param signal KILL, as if it had crashed, by default; by TERM the API server takes a minute when somebody watches
   */
  control(action: "restart" | "halt" | "resume", component: Component, signal?: ControlSignal): Promise<void>;
}

/** How {@link ensureUp} brings the cluster up. */
export interface UpOptions {
  /**
   * Whether names of Services must be resolved. CoreDNS takes two minutes to build the first time. What a foreign cluster has is not checked.
   *
   * @default {true}
   */
  readonly dns?: boolean;
  /** @default what happens is shown on stderr */
  readonly progress?: Progress;
}

/** The cluster's kubeconfig that the environment names. */
export function foreignKubeconfig(): string | undefined {
  return Deno.env.get(KUBECONFIG_VARIABLE) || undefined;
}

/**
 * Brings the cluster up unless it is, and gives it.
 *
 * @throws {ClusterUnavailableError} where this machine cannot have one: count the test as skipped, with the message
 * @throws {ClusterError} where one should be but is not
 */
export async function ensureUp({ dns = true, progress = progressOnStderr() }: UpOptions = {}): Promise<Cluster> {
  const kubeconfig = foreignKubeconfig();
  return kubeconfig ? await foreignCluster(kubeconfig) : await ensureOwnUp(progress, { dns });
}

/** Says why this machine cannot have a cluster, without making one. @returns undefined where it can */
export async function whyUnavailable(): Promise<string | undefined> {
  return foreignKubeconfig() ? undefined : await whyNoOwnCluster();
}
