import type { Api } from "../api/api.ts";
import { ApiError } from "../api/api_error.ts";
import type { Architecture } from "../images/shared_libraries.ts";

/** A node, as far as it is looked at. */
interface Node {
  readonly spec?: { readonly unschedulable?: boolean };
  readonly status?: { readonly nodeInfo?: { readonly architecture?: string; readonly operatingSystem?: string } };
}

/**
 * The architecture that most Linux nodes have which take Pods.
 * @returns undefined where nodes may not be listed, or none is of a kind that programs are built for
 * @throws what the API says otherwise
 */
export async function nodeArchitecture(api: Api, signal: AbortSignal): Promise<Architecture | undefined> {
  try {
    const { items } = await api.list("/api/v1/nodes", { signal });
    return mostCommon(items as unknown as Node[]);
  } catch (error) {
    if (error instanceof ApiError && error.status === 403) return undefined;
    throw error;
  }
}

/** The architecture that most of the nodes have which take Pods; amd64 of as many. */
export function mostCommon(nodes: readonly Node[]): Architecture | undefined {
  const count = { amd64: 0, arm64: 0 };
  for (const { spec, status } of nodes) {
    const { architecture, operatingSystem = "linux" } = status?.nodeInfo ?? {};
    if (spec?.unschedulable || operatingSystem !== "linux") continue;
    if (architecture === "amd64" || architecture === "arm64") count[architecture]++;
  }
  if (count.amd64 === 0 && count.arm64 === 0) return undefined;
  return count.amd64 >= count.arm64 ? "amd64" : "arm64";
}
