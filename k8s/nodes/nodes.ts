import type { Api } from "../api/api.ts";
import { onStatus } from "../api/api_error.ts";
import type { Node } from "../api/kubernetes_objects.ts";
import type { Architecture } from "../images/shared_libraries.ts";

/** What kurun needs to know about a node. */
export interface NodeFacts {
  readonly name: string;
  /** The machine at its provider, such as `kind://docker/CLUSTER/NODE`. */
  readonly providerId: string | undefined;
  /** The content of the node's /etc/machine-id. */
  readonly machineId: string | undefined;
  /** Changes with each start of the node's kernel. */
  readonly bootId: string | undefined;
  /** Such as `containerd://1.7.0`. */
  readonly runtime: string | undefined;
  readonly architecture: string | undefined;
  /** Whether the scheduler may place Pods there (not cordoned). */
  readonly schedulable: boolean;
  /** The taints that keep Pods without tolerations away, such as `node.kubernetes.io/unschedulable:NoSchedule`. */
  readonly taints: readonly string[];
  /** The names of its images, as the kubelet reports them: the 50 largest, with a delay. */
  readonly images: ReadonlySet<string>;
}

/** The cluster's Linux nodes; undefined if the user may not list nodes. @throws as {@linkcode Api.list} does, except for a missing right */
export async function linuxNodes(api: Api, signal: AbortSignal): Promise<NodeFacts[] | undefined> {
  const list = await api.list<Node>("/api/v1/nodes", { signal }).catch(onStatus([403], undefined));
  const nodes = list?.items.filter(({ status }) => (status?.nodeInfo?.operatingSystem ?? "linux") === "linux");
  return nodes?.map(({ metadata, spec, status: { nodeInfo: info, images } = {} }) => ({
    name: metadata.name,
    providerId: spec?.providerID,
    machineId: info?.machineID || undefined,
    bootId: info?.bootID || undefined,
    runtime: info?.containerRuntimeVersion,
    architecture: info?.architecture,
    schedulable: spec?.unschedulable !== true,
    taints: (spec?.taints ?? []).filter(({ effect }) => effect !== "PreferNoSchedule").map(({ key, value, effect }) =>
      `${key}${value ? `=${value}` : ""}:${effect}`
    ),
    images: new Set(images?.flatMap(({ names }) => names ?? [])),
  }));
}

/** The architecture of most schedulable nodes, amd64 if tied; undefined if kurun builds programs for none of them. */
export function commonArchitecture(nodes: readonly Pick<NodeFacts, "architecture" | "schedulable">[]): Architecture | undefined {
  const count = (one: Architecture) => nodes.filter(({ architecture, schedulable }) => schedulable && architecture === one).length;
  const [amd64, arm64] = [count("amd64"), count("arm64")];
  if (amd64 === 0 && arm64 === 0) return undefined;
  return amd64 >= arm64 ? "amd64" : "arm64";
}
