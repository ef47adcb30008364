import type { Api } from "../api/api.ts";
import { ApiError } from "../api/api_error.ts";
import { missingRights, type Right } from "../api/rights.ts";
import { controlServiceName } from "./objects/session_objects.ts";
import { proxyTarget } from "./dial/tunnel_dial.ts";

/** The rights that a session cannot do without: docs/rbac.yaml has them as a Role. */
export function sessionRights(namespace: string, service: string): Right[] {
  return [
    { verb: "create", group: "batch", resource: "jobs", namespace },
    { verb: "patch", group: "batch", resource: "jobs", namespace },
    { verb: "delete", group: "batch", resource: "jobs", namespace },
    { verb: "create", group: "apps", resource: "deployments", namespace },
    { verb: "get", resource: "services", name: service, namespace },
    { verb: "get", resource: "services", name: controlServiceName(service), namespace },
    { verb: "create", resource: "services", namespace },
    { verb: "create", resource: "secrets", namespace },
    // The name is the URL's segment word for word: the API server compares it as text.
    { verb: "get", resource: "services", subresource: "proxy", name: proxyTarget(service), namespace },
    { verb: "watch", resource: "pods", namespace },
  ];
}

/** The rights that a session which runs programs cannot do without. */
export function runRights(namespace: string, service: string): Right[] {
  return [
    { verb: "create", group: "batch", resource: "jobs", namespace },
    { verb: "patch", group: "batch", resource: "jobs", namespace },
    { verb: "delete", group: "batch", resource: "jobs", namespace },
    { verb: "create", resource: "pods", namespace },
    { verb: "watch", resource: "pods", namespace },
    { verb: "create", resource: "services", namespace },
    { verb: "create", resource: "secrets", namespace },
    { verb: "get", resource: "services", subresource: "proxy", name: proxyTarget(service), namespace },
  ];
}

/** Rights that the session needs are missing. */
export class MissingRightsError extends Error {
  override readonly name = "MissingRightsError";
  readonly missing: readonly Right[];
  /** The user's name in the kubeconfig; empty where it has none. */
  readonly user: string;

  constructor(missing: readonly Right[], user: string) {
    super(`${missing.length} rights are missing`);
    this.missing = missing;
    this.user = user;
  }
}

/**
 * Checks all rights at once, in the time of one answer. Where it is not allowed to ask, nothing is said: what is missing shows later.
 * @throws MissingRightsError, and what the network says
 */
export async function checkRights(api: Api, rights: readonly Right[], signal: AbortSignal): Promise<void> {
  let missing: Right[];
  try {
    missing = await missingRights(api, rights, { signal });
  } catch (error) {
    if (error instanceof ApiError && (error.status === 403 || error.status === 404)) return;
    throw error;
  }
  if (missing.length > 0) throw new MissingRightsError(missing, api.access.user);
}
