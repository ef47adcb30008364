/**
 * What a user may change in the Pod of a session: where it runs and what it gets, never what it is. A patch in the manner of kubectl's:
 * objects merge, lists and values replace, null takes away. The security context may be tightened only.
 *
 * @module
 */

/** A part of an object, as JSON. */
export type PodPatch = Readonly<Record<string, unknown>>;

/** The patch asks for what cannot be; the message says what and why. */
export class PodOverrideError extends Error {
  override readonly name = "PodOverrideError";
}

/** Fields of a Pod's spec that are the user's to set. */
const POD_FIELDS = [
  "affinity",
  "dnsConfig",
  "dnsPolicy",
  "hostAliases",
  "imagePullSecrets",
  "nodeName",
  "nodeSelector",
  "os",
  "preemptionPolicy",
  "priorityClassName",
  "runtimeClassName",
  "schedulerName",
  "schedulingGates",
  "serviceAccountName",
  "terminationGracePeriodSeconds",
  "tolerations",
  "topologySpreadConstraints",
] as const;

/** Fields of a Pod's spec that exist and are not, each with the reason. */
const KEPT_FIELDS: Readonly<Record<string, string>> = {
  activeDeadlineSeconds: "the session has its own deadline: --ttl",
  automountServiceAccountToken: "the Pod needs no rights, so it gets no token",
  ephemeralContainers: "the Pod runs kurun's server alone",
  hostIPC: "the Pod security level restricted forbids it",
  hostNetwork: "the Pod security level restricted forbids it",
  hostPID: "the Pod security level restricted forbids it",
  hostUsers: "it is not needed: the server runs without privileges",
  hostname: "names are the session's",
  initContainers: "the Pod runs kurun's server alone",
  restartPolicy: "a Deployment's Pods are always restarted",
  setHostnameAsFQDN: "names are the session's",
  shareProcessNamespace: "the Pod runs kurun's server alone",
  subdomain: "names are the session's",
  volumes: "they are the session's",
};

/** Fields of the server's container that are the user's to set. */
const CONTAINER_FIELDS = ["imagePullPolicy", "name", "resources", "securityContext"];

/** What a security context may say: what tightens, or what names a user. Everything else is refused. */
const SECURITY_VALUES: Readonly<Record<string, (value: unknown) => boolean>> = {
  allowPrivilegeEscalation: (value) => value === false,
  appArmorProfile: (value) => profileType(value) === "RuntimeDefault" || profileType(value) === "Localhost",
  fsGroup: isId,
  fsGroupChangePolicy: (value) => value === "OnRootMismatch" || value === "Always",
  privileged: (value) => value === false,
  readOnlyRootFilesystem: (value) => value === true,
  runAsGroup: isId,
  runAsNonRoot: (value) => value === true,
  runAsUser: (value) => isId(value) && value !== 0,
  seLinuxOptions: isObject,
  seccompProfile: (value) => profileType(value) === "RuntimeDefault" || profileType(value) === "Localhost",
  supplementalGroups: (value) => Array.isArray(value) && value.every(isId),
};

/**
 * Looks whether a patch may be applied to a session's Pod.
 * @throws PodOverrideError for a field that does not exist, is the session's own or would loosen the Pod's security
 */
export function checkPodPatch(patch: unknown): asserts patch is PodPatch {
  if (!isObject(patch)) throw new PodOverrideError("it is no object with fields of a Pod's spec, such as nodeSelector");
  for (const [field, value] of Object.entries(patch)) {
    if (field === "securityContext") checkSecurity(field, value);
    else if (field === "resources") checkObject(field, value);
    else if (field === "containers") checkContainers(value);
    else if (!POD_FIELDS.some((known) => known === field)) throw new PodOverrideError(whyNot(field));
  }
}

/** A Pod's spec with a patch that {@link checkPodPatch} has let through. `resources` are the server's container's. */
export function patchPod(spec: PodPatch, patch: PodPatch): Record<string, unknown> {
  const { resources, containers = [], imagePullSecrets = [], ...rest } = patch;
  const [server, ...others] = spec.containers as PodPatch[];
  const pullSecrets = [...(spec.imagePullSecrets ?? []) as unknown[], ...imagePullSecrets as unknown[]];
  const container = [...(resources === undefined ? [] : [{ resources }]), ...containers as PodPatch[]].reduce<PodPatch>(
    merge,
    server ?? {},
  );
  return {
    ...merge(spec, rest),
    ...(pullSecrets.length === 0 ? {} : { imagePullSecrets: pullSecrets }),
    containers: [container, ...others],
  };
}

function merge(into: PodPatch, patch: PodPatch): Record<string, unknown> {
  const merged: Record<string, unknown> = { ...into };
  for (const [field, value] of Object.entries(patch)) {
    const before = merged[field];
    if (value === null) delete merged[field];
    else merged[field] = isObject(value) ? merge(isObject(before) ? before : {}, value) : value;
  }
  return merged;
}

function whyNot(field: string): string {
  const reason = KEPT_FIELDS[field];
  if (reason !== undefined) return `${field} cannot be overridden: ${reason}`;
  return `it has the field "${field}": what can be overridden is ${[...POD_FIELDS, "resources", "securityContext"].sort().join(", ")}`;
}

function checkContainers(value: unknown): void {
  if (!Array.isArray(value) || !value.every(isObject)) throw new PodOverrideError("containers is no list of objects");
  for (const container of value) {
    if (container.name !== "server") throw new PodOverrideError('the Pod has one container: {"name": "server", ...}');
    for (const [field, inside] of Object.entries(container)) {
      if (!CONTAINER_FIELDS.includes(field)) {
        throw new PodOverrideError(
          `${field} of the container cannot be overridden: only imagePullPolicy, resources and securityContext can`,
        );
      }
      if (field === "securityContext") checkSecurity("the container's securityContext", inside);
      if (field === "resources") checkObject("the container's resources", inside);
    }
  }
}

function checkSecurity(where: string, value: unknown): void {
  checkObject(where, value);
  for (const [field, inside] of Object.entries(value as PodPatch)) {
    if (!SECURITY_VALUES[field]?.(inside)) {
      throw new PodOverrideError(
        `${where}: ${field} ${JSON.stringify(inside)} cannot be set: the Pod stays within the Pod security level restricted`,
      );
    }
  }
}

function checkObject(where: string, value: unknown): void {
  if (!isObject(value)) throw new PodOverrideError(`${where} is no object`);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isId(value: unknown): boolean {
  return Number.isInteger(value) && (value as number) >= 0;
}

function profileType(value: unknown): unknown {
  return isObject(value) ? value.type : undefined;
}
