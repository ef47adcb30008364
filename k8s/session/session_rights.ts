import type { Api } from "../api/api.ts";
import { onStatus } from "../api/api_error.ts";
import type { AccessReview } from "../api/kubernetes_objects.ts";
import { proxyTarget } from "./dial/tunnel_dial.ts";
import { controlServiceName, type ForwardPlan, type RunPlan, type SessionPlan } from "./objects/session_plan.ts";

/** The right to do something with a resource. */
export interface Right {
  readonly verb: string;
  /** The API group; empty for the core group. @default {""} */
  readonly group?: string;
  readonly resource: string;
  readonly subresource?: string;
  /** The name of one object; all objects if undefined. */
  readonly name?: string;
  /** All namespaces, or objects without one, if undefined. */
  readonly namespace?: string;
}

/** The rights that every session needs, as docs/rbac.yaml and docs/rbac-run.yaml grant them. */
function commonRights({ namespace, service, server }: SessionPlan): Right[] {
  return [
    { verb: "create", group: "batch", resource: "jobs", namespace },
    { verb: "patch", group: "batch", resource: "jobs", namespace },
    { verb: "delete", group: "batch", resource: "jobs", namespace },
    { verb: "create", resource: "services", namespace },
    { verb: "create", resource: "secrets", namespace },
    ...(server === undefined ? [] : [{ verb: "create", resource: "configmaps", namespace }]),
    // The API server compares the name with the URL's segment as text.
    { verb: "get", resource: "services", subresource: "proxy", name: proxyTarget(service), namespace },
    { verb: "watch", resource: "pods", namespace },
  ];
}

/** The rights that `kurun port-forward` needs. */
export function sessionRights(plan: ForwardPlan): Right[] {
  const { namespace, service } = plan;
  return [
    ...commonRights(plan),
    { verb: "create", group: "apps", resource: "deployments", namespace },
    { verb: "get", resource: "services", name: service, namespace },
    { verb: "get", resource: "services", name: controlServiceName(service), namespace },
  ];
}

/** The rights that `kurun run` needs. */
export function runRights(plan: RunPlan): Right[] {
  return [...commonRights(plan), { verb: "create", resource: "pods", namespace: plan.namespace }];
}

/** The file in docs/ that has the least Role for a kind of session. */
export type RoleFile = "rbac.yaml" | "rbac-run.yaml";

/** The user lacks rights that the session needs. */
export class MissingRightsError extends Error {
  override readonly name = "MissingRightsError";

  /** @param user the impersonated user, else the user's name in the kubeconfig; empty if it has none */
  constructor(readonly missing: readonly Right[], readonly user: string, readonly roleFile: RoleFile) {
    super(`${missing.length} rights are missing`);
  }
}

/**
 * Checks all rights in parallel, before anything is created. If the user may not ask, nothing is reported: a missing right shows later.
 * @throws {MissingRightsError} naming all missing rights, in their order; also as {@linkcode Api.create} does
 */
export async function checkRights(api: Api, rights: readonly Right[], roleFile: RoleFile, signal: AbortSignal): Promise<void> {
  const reviews = await Promise.all(rights.map((right) => {
    const review = { apiVersion: "authorization.k8s.io/v1", kind: "SelfSubjectAccessReview", spec: { resourceAttributes: right } };
    return api.create<AccessReview>("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review, { signal });
  })).catch(onStatus([403, 404], undefined));
  const missing = reviews ? rights.filter((_, index) => reviews[index]?.body.status?.allowed !== true) : [];
  if (missing.length > 0) throw new MissingRightsError(missing, api.access.user, roleFile);
}

/** A right in the words of kubectl's errors, such as `get services/proxy named https:web-kurun:8333 in namespace shop`. */
export function describeRight({ verb, group, resource, subresource, name, namespace }: Right): string {
  const what = `${resource}${group ? `.${group}` : ""}${subresource ? `/${subresource}` : ""}`;
  return `${verb} ${what}${name ? ` named ${name}` : ""}${namespace ? ` in namespace ${namespace}` : ""}`;
}
