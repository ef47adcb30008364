/**
 * The rights that a session needs, checked before anything is created. docs/rbac.yaml and docs/rbac-run.yaml grant them.
 *
 * @module
 */
import type { Api } from "../api/api.ts";
import { ApiError } from "../api/api_error.ts";
import { missingRights, type Right } from "../api/rights.ts";
import { proxyTarget } from "./dial/tunnel_dial.ts";
import { controlServiceName } from "./objects/session_plan.ts";

/** The rights that every session needs. */
function commonRights(namespace: string, service: string): Right[] {
  return [
    { verb: "create", group: "batch", resource: "jobs", namespace },
    { verb: "patch", group: "batch", resource: "jobs", namespace },
    { verb: "delete", group: "batch", resource: "jobs", namespace },
    { verb: "create", resource: "services", namespace },
    { verb: "create", resource: "secrets", namespace },
    // The API server compares the name with the URL's segment as text.
    { verb: "get", resource: "services", subresource: "proxy", name: proxyTarget(service), namespace },
    { verb: "watch", resource: "pods", namespace },
  ];
}

/** The rights that `kurun port-forward` needs. */
export function sessionRights(namespace: string, service: string): Right[] {
  return [
    ...commonRights(namespace, service),
    { verb: "create", group: "apps", resource: "deployments", namespace },
    { verb: "get", resource: "services", name: service, namespace },
    { verb: "get", resource: "services", name: controlServiceName(service), namespace },
  ];
}

/** The rights that `kurun run` needs. */
export function runRights(namespace: string, service: string): Right[] {
  return [...commonRights(namespace, service), { verb: "create", resource: "pods", namespace }];
}

/** The file in docs/ that has the least Role for a kind of session. */
export type RoleFile = "rbac.yaml" | "rbac-run.yaml";

/** The user lacks rights that the session needs. */
export class MissingRightsError extends Error {
  override readonly name = "MissingRightsError";
  readonly missing: readonly Right[];
  /** The impersonated user, else the user's name in the kubeconfig; empty if it has none. */
  readonly user: string;
  readonly roleFile: RoleFile;

  constructor(missing: readonly Right[], user: string, roleFile: RoleFile) {
    super(`${missing.length} rights are missing`);
    this.missing = missing;
    this.user = user;
    this.roleFile = roleFile;
  }
}

/**
 * Checks all rights in parallel. If the user may not ask, nothing is reported: a missing right shows later.
 *
 * @throws {MissingRightsError} naming all missing rights; also as {@linkcode Api.create} does
 */
export async function checkRights(api: Api, rights: readonly Right[], roleFile: RoleFile, signal: AbortSignal): Promise<void> {
  let missing: Right[];
  try {
    missing = await missingRights(api, rights, { signal });
  } catch (error) {
    if (error instanceof ApiError && (error.status === 403 || error.status === 404)) return;
    throw error;
  }
  if (missing.length > 0) throw new MissingRightsError(missing, api.access.user, roleFile);
}
