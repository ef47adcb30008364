import type { Api } from "../api/api.ts";
import { ApiError } from "../api/api_error.ts";
import type { Live } from "../api/kubernetes_objects.ts";

/** Only this many Pods are looked up: the others most likely belong to the same workloads. */
const MAX_PODS = 10;

/** The workloads that Pods belong to, such as `deployment/web`, and that the user may see. @throws {ConnectionError} */
export async function workloadsOf(api: Api, namespace: string, pods: readonly string[], signal: AbortSignal): Promise<string[]> {
  const found = await Promise.all(pods.slice(0, MAX_PODS).map((pod) => workloadOf(api, namespace, pod, signal)));
  // Anybody who may create Pods may write any text into an owner reference, and these go into a command to copy.
  return [...new Set(found.filter((workload) => workload !== undefined && /^[a-z0-9]+\/[a-z0-9.-]+$/.test(workload)))] as string[];
}

async function workloadOf(api: Api, namespace: string, pod: string, signal: AbortSignal): Promise<string | undefined> {
  const controller = await controllerOf(api, `/api/v1/namespaces/${namespace}/pods/${pod}`, signal);
  if (controller?.kind !== "ReplicaSet") return controller && `${controller.kind.toLowerCase()}/${controller.name}`;
  const above = await controllerOf(api, `/apis/apps/v1/namespaces/${namespace}/replicasets/${controller.name}`, signal);
  const { kind, name } = above ?? controller;
  return `${kind.toLowerCase()}/${name}`;
}

async function controllerOf(api: Api, path: string, signal: AbortSignal): Promise<{ kind: string; name: string } | undefined> {
  try {
    const { body: { metadata } } = await api.get<Live>(path, { signal });
    return metadata.ownerReferences?.find(({ controller }) => controller);
  } catch (error) {
    if (error instanceof ApiError) return undefined;
    throw error;
  }
}
