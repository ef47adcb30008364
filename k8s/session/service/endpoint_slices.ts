import type { Api } from "../../api/api.ts";
import type { EndpointSlice, NewEndpointSlice, Pod } from "../../api/kubernetes_objects.ts";
import { onStatus } from "../../api/api_error.ts";
import { passesProbe } from "../../workloads/pod_status.ts";
import { isOpenShift } from "../pod/fit_cluster.ts";
import { missingRights, type Right } from "../session_rights.ts";
import { type ForwardPlan, MANAGED_BY, objectPath, SESSION_LABEL } from "../objects/session_plan.ts";

/** The label that says which Service a slice is for. */
const SERVICE_NAME_LABEL = "kubernetes.io/service-name";
/** The label by which the cluster's controllers leave each other's slices alone, and its value for kurun's. */
const SLICE_MANAGER_LABEL = "endpointslice.kubernetes.io/managed-by";
const SLICE_MANAGER = "kurun";

/**
 * The EndpointSlices of a joined Service for one of the session's Pods, with the conditions that the cluster's controller would set. The Pod
 * owns them, not the Job: its address may be another Pod's afterwards, and a Pod that is being stopped still serves callers until the next
 * one is ready.
 */
export function endpointSlices(
  { name, namespace, service, ports, joined }: ForwardPlan,
  { metadata, spec, status }: Pod,
): NewEndpointSlice[] {
  if (!joined || "selector" in joined) return [];
  const terminating = metadata.deletionTimestamp !== undefined;
  const serving = passesProbe(status);
  return joined.families.flatMap((family): NewEndpointSlice[] => {
    const addresses = (status?.podIPs ?? []).map(({ ip }) => ip).filter((ip) => ip.includes(":") === (family === "IPv6"));
    if (addresses.length === 0) return [];
    return [{
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: {
        name: `${metadata.name}-${family.toLowerCase()}`,
        namespace,
        labels: {
          ...MANAGED_BY,
          [SLICE_MANAGER_LABEL]: SLICE_MANAGER,
          [SESSION_LABEL]: name,
          [SERVICE_NAME_LABEL]: service,
          // The nodes' proxies ignore slices with this label.
          ...(joined.headless ? { "service.kubernetes.io/headless": "" } : {}),
        },
        ownerReferences: [{ apiVersion: "v1", kind: "Pod", name: metadata.name, uid: metadata.uid }],
      },
      addressType: family,
      endpoints: [{
        addresses: addresses.slice(0, 1),
        conditions: { ready: serving && !terminating, serving, terminating },
        ...(spec?.nodeName === undefined ? {} : { nodeName: spec.nodeName }),
        targetRef: { kind: "Pod", namespace, name: metadata.name, uid: metadata.uid },
      }],
      ports: ports.map(({ name = "", targetPort: port }) => ({ name, protocol: "TCP", port })),
    }];
  });
}

/** Whether the user may write slices with a Pod's address; yes if the user may not ask. @throws as {@linkcode Api.create} does */
export async function mayWriteSlices(api: Api, namespace: string, signal: AbortSignal): Promise<boolean> {
  const slices = { group: "discovery.k8s.io", resource: "endpointslices", namespace };
  const rights: Right[] = [{ verb: "create", ...slices }, { verb: "patch", ...slices }];
  // OpenShift refuses addresses of its Pods otherwise.
  if (await isOpenShift(api, signal)) rights.push({ verb: "create", subresource: "restricted", ...slices });
  return (await missingRights(api, rights, signal) ?? []).length === 0;
}

/** Reads the slices of a Service, whoever made them. @throws as {@linkcode Api.list} does */
export async function serviceSlices(api: Api, namespace: string, service: string, signal: AbortSignal): Promise<EndpointSlice[]> {
  const query = { labelSelector: `${SERVICE_NAME_LABEL}=${service}` };
  return (await api.list<EndpointSlice>(objectPath("EndpointSlice", namespace), { query, signal })).items;
}

/** Marks the Pods of earlier sessions as being stopped: callers then reach them only until another Pod is ready. Errors are left to a later look. */
export async function retireSlices(api: Api, slices: readonly EndpointSlice[], signal: AbortSignal): Promise<void> {
  const ours = slices.filter(({ metadata }) => metadata.labels?.[SLICE_MANAGER_LABEL] === SLICE_MANAGER);
  await Promise.all(ours.map(async ({ metadata: { name, namespace, uid }, endpoints }) => {
    const conditions = { ready: false, serving: true, terminating: true };
    const patch = { metadata: { uid }, endpoints: (endpoints ?? []).map((endpoint) => ({ ...endpoint, conditions })) };
    await api.mergePatch(objectPath("EndpointSlice", namespace, name), patch, { signal }).catch(onStatus([403, 404, 409], undefined));
  }));
}
