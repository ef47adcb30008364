import type { Api } from "../api/api.ts";
import { ApiError } from "../api/api_error.ts";

/** More Pods than this are not asked about: they are most likely of the same workload. */
const MAX_PODS = 10;

interface OwnedObject {
  readonly metadata: {
    readonly ownerReferences?: readonly { readonly kind: string; readonly name: string; readonly controller?: boolean }[];
  };
}

/** What makes these Pods, as `deployment/web`; without the right to look, nothing. @throws what the network says */
export async function workloadsOf(api: Api, namespace: string, pods: readonly string[], signal: AbortSignal): Promise<string[]> {
  const found = await Promise.all(pods.slice(0, MAX_PODS).map((pod) => workloadOf(api, namespace, pod, signal)));
  return [...new Set(found.filter((workload) => workload !== undefined))];
}

async function workloadOf(api: Api, namespace: string, pod: string, signal: AbortSignal): Promise<string | undefined> {
  const maker = await controllerOf(api, `/api/v1/namespaces/${namespace}/pods/${pod}`, signal);
  if (maker?.kind !== "ReplicaSet") return maker && `${maker.kind.toLowerCase()}/${maker.name}`;
  const above = await controllerOf(api, `/apis/apps/v1/namespaces/${namespace}/replicasets/${maker.name}`, signal);
  const { kind, name } = above ?? maker;
  return `${kind.toLowerCase()}/${name}`;
}

async function controllerOf(api: Api, path: string, signal: AbortSignal): Promise<{ kind: string; name: string } | undefined> {
  try {
    const { metadata } = (await api.get(path, { signal })).body as OwnedObject;
    return metadata.ownerReferences?.find(({ controller }) => controller);
  } catch (error) {
    if (error instanceof ApiError) return undefined;
    throw error;
  }
}
