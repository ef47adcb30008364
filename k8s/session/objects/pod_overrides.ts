import type { PodSpec } from "../../api/kubernetes_objects.ts";
import { isObject, type JsonObject } from "../../api/exact_json.ts";
import { strategicMerge } from "./strategic_merge.ts";

/** A strategic merge patch of a Pod or of its spec. */
export type PodPatch = JsonObject;

/** The patch cannot be applied. The message says what and why. */
export class PodOverrideError extends Error {
  override readonly name = "PodOverrideError";
}

/** Fields of the Pod's spec that cannot be overridden, each with the reason. */
const KEPT_FIELDS: Readonly<Record<string, string>> = {
  activeDeadlineSeconds: "the session has its own deadline: --ttl",
  automountServiceAccountToken: "the Pod needs no rights, so it gets no token",
  ephemeralContainers: "the Pod runs only kurun's server",
  hostIPC: "the Pod Security level restricted forbids it",
  hostNetwork: "the Pod Security level restricted forbids it",
  hostPID: "the Pod Security level restricted forbids it",
  hostname: "the session determines its names",
  initContainers: "the Pod runs only kurun's server",
  restartPolicy: "a Deployment always restarts its Pods",
  setHostnameAsFQDN: "the session determines its names",
  shareProcessNamespace: "the Pod runs only kurun's server",
  subdomain: "the session determines its names",
  volumes: "they belong to the session",
};

/** Fields of the server's container that can be overridden. */
const CONTAINER_FIELDS = ["imagePullPolicy", "name", "resources", "securityContext"];

/**
 * Checks a patch of the spec of a port-forward's Pod. The API server judges the values by a dry run.
 * @throws {PodOverrideError} for a field that the session needs as it is, or that would loosen the Pod's security
 */
export function checkPodPatch(patch: unknown): asserts patch is PodPatch {
  if (!isObject(patch)) throw new PodOverrideError("it must be an object with fields of a Pod's spec, such as nodeSelector");
  for (const field of Object.keys(patch)) {
    if (KEPT_FIELDS[field] !== undefined) throw new PodOverrideError(`${field} cannot be overridden: ${KEPT_FIELDS[field]}`);
    if (field.startsWith("$")) throw new PodOverrideError(`the directive ${field} is not supported`);
  }
  const { containers = [], resources = {} } = patch;
  if (!isObject(resources)) throw new PodOverrideError("resources must be an object");
  if (!Array.isArray(containers) || !containers.every(isObject)) throw new PodOverrideError("containers must be a list of objects");
  for (const container of containers) {
    if (container.name !== "server") throw new PodOverrideError('the Pod has one container: {"name": "server", ...}');
    const kept = Object.keys(container).find((field) => !CONTAINER_FIELDS.includes(field));
    if (kept) {
      throw new PodOverrideError(`${kept} of the container cannot be overridden: only imagePullPolicy, resources and securityContext can`);
    }
    checkSecurity("the container's securityContext", container.securityContext);
  }
  checkSecurity("securityContext", patch.securityContext);
}

/** A Pod's spec with a patch that {@linkcode checkPodPatch} accepts. `resources` are those of the server's container. */
export function patchPod(spec: PodSpec, patch: PodPatch): PodSpec {
  const { resources, ...rest } = patch;
  const { merged } = strategicMerge(spec, rest);
  return resources === undefined ? merged : strategicMerge(merged, { containers: [{ name: "server", resources }] }).merged;
}

/** Values that the Pod Security level `restricted` requires; null would remove them. */
const RESTRICTED: Readonly<Record<string, (value: unknown) => boolean>> = {
  allowPrivilegeEscalation: (value) => value === false,
  privileged: (value) => value === false,
  readOnlyRootFilesystem: (value) => value === true,
  runAsNonRoot: (value) => value === true,
  runAsUser: (value) => value !== 0,
  capabilities: () => false,
  procMount: (value) => value === "Default",
  seccompProfile: isConfined,
  appArmorProfile: isConfined,
  sysctls: () => false,
};

function checkSecurity(where: string, value: unknown): void {
  if (value === undefined) return;
  if (!isObject(value)) throw new PodOverrideError(`${where} must be an object`);
  for (const [field, inside] of Object.entries(value)) {
    if (RESTRICTED[field]?.(inside) === false) {
      const reason = "the Pod stays within the Pod Security level restricted";
      throw new PodOverrideError(`${where}: ${field} ${JSON.stringify(inside)} cannot be set: ${reason}`);
    }
  }
}

function isConfined(profile: unknown): boolean {
  return isObject(profile) && (profile.type === "RuntimeDefault" || profile.type === "Localhost");
}
