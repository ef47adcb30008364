import type { Api } from "../api/api.ts";
import { ApiError } from "../api/api_error.ts";

/** A node, as far as images are concerned. */
export interface NodeFacts {
  readonly name: string;
  /** Which machine of which provider, such as `kind://docker/CLUSTER/NODE`. */
  readonly providerId: string | undefined;
  /** What /etc/machine-id says there. */
  readonly machineId: string | undefined;
  /** Changes with each start of its kernel. */
  readonly bootId: string | undefined;
  /** Such as `containerd://1.7.0`. */
  readonly runtime: string | undefined;
  readonly architecture: string | undefined;
  /** Names of images that it has, as the kubelet tells them: of the 50 largest, and a little late. */
  readonly images: ReadonlySet<string>;
}

/** A node, as far as it is read. */
interface Node {
  readonly metadata: { readonly name: string };
  readonly spec?: { readonly providerID?: string };
  readonly status?: {
    readonly images?: readonly { readonly names?: readonly string[] }[];
    readonly nodeInfo?: {
      readonly machineID?: string;
      readonly bootID?: string;
      readonly containerRuntimeVersion?: string;
      readonly architecture?: string;
      readonly operatingSystem?: string;
    };
  };
}

/**
 * The cluster's Linux nodes.
 * @returns undefined where the user may not list them
 * @throws what the API says otherwise
 */
export async function linuxNodes(api: Api, signal: AbortSignal): Promise<NodeFacts[] | undefined> {
  try {
    const { items } = await api.list("/api/v1/nodes", { signal });
    return (items as unknown as Node[]).filter(({ status }) => (status?.nodeInfo?.operatingSystem ?? "linux") === "linux").map(nodeFacts);
  } catch (error) {
    if (error instanceof ApiError && error.status === 403) return undefined;
    throw error;
  }
}

function nodeFacts({ metadata, spec, status }: Node): NodeFacts {
  const info = status?.nodeInfo;
  return {
    name: metadata.name,
    providerId: spec?.providerID,
    machineId: info?.machineID || undefined,
    bootId: info?.bootID || undefined,
    runtime: info?.containerRuntimeVersion,
    architecture: info?.architecture,
    images: new Set(status?.images?.flatMap(({ names = [] }) => names)),
  };
}
