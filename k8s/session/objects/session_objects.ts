/**
 * The objects that every session has, as they are sent to the API server. Pure: a plan in, objects out.
 *
 * A Job without Pods (parallelism 0) owns all other objects. When it is deleted or its deadline passes, the cluster removes everything
 * that names it as owner. The client keeps moving the deadline.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { ContainerSecurity, New, NewJob, NewSecret, NewService, PodSecurity } from "../../api/kubernetes_objects.ts";
import {
  type CommonPlan,
  CONTROL_PORT,
  controlServiceName,
  MANAGED_BY,
  type Owner,
  SESSION_LABEL,
  type SessionSecrets,
} from "./session_plan.ts";

/** The Job that owns the session. */
export function sessionJob(plan: CommonPlan): NewJob {
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: metadata(plan, plan.name),
    spec: {
      parallelism: 0,
      backoffLimit: 0,
      ttlSecondsAfterFinished: 0,
      ...(plan.ttlSeconds > 0 ? { activeDeadlineSeconds: plan.ttlSeconds } : {}),
      template: {
        metadata: { labels: labels(plan) },
        // No Pod is ever made from it, but a namespace with Pod Security warnings checks it all the same.
        spec: {
          restartPolicy: "Never",
          securityContext: podSecurity(),
          containers: [{ name: "none", image: plan.image, securityContext: containerSecurity() }],
        },
      },
    },
  };
}

/** The session's key and the control port's certificate. */
export function sessionSecret(plan: CommonPlan, owner: Owner, secrets: SessionSecrets): NewSecret {
  return {
    apiVersion: "v1",
    kind: "Secret",
    type: "Opaque",
    metadata: metadata(plan, plan.name, owner),
    data: { key: base64(secrets.key), "tls.crt": base64(secrets.cert), "tls.key": base64(secrets.certKey) },
  };
}

/**
 * The Service that the client connects through. It routes to the Pod even before that is ready.
 *
 * @param targetPort the Pod's control port
 */
export function controlService(plan: CommonPlan, owner: Owner, targetPort: number): NewService {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: metadata(plan, controlServiceName(plan.service), owner),
    spec: {
      selector: { [SESSION_LABEL]: plan.name },
      publishNotReadyAddresses: true,
      ports: [{ name: "control", port: CONTROL_PORT, targetPort }],
    },
  };
}

/** Metadata that says whose an object is. `blockOwnerDeletion` is left out because some clusters grant it to few users only. */
export function metadata(plan: CommonPlan, name: string, owner?: Owner): New["metadata"] {
  return {
    name,
    namespace: plan.namespace,
    labels: labels(plan),
    annotations: { ...plan.annotations },
    ...(owner ? { ownerReferences: [{ apiVersion: "batch/v1", kind: "Job", name: owner.name, uid: owner.uid }] } : {}),
  };
}

/** The labels of every object of the session. */
export function labels(plan: CommonPlan): Record<string, string> {
  return { ...MANAGED_BY, [SESSION_LABEL]: plan.name };
}

/** Keeps a Pod out of a service mesh: the client arrives through the API server, which is outside any mesh. */
export const NO_MESH = {
  labels: { "sidecar.istio.io/inject": "false" },
  annotations: { "sidecar.istio.io/inject": "false", "linkerd.io/inject": "disabled" },
} as const;

/** A Pod's security context that the Pod Security level `restricted` accepts. It sets no user: the image has one, and OpenShift assigns its own. */
export function podSecurity(more: PodSecurity = {}): PodSecurity {
  return { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" }, ...more };
}

/** A container's security context that the Pod Security level `restricted` accepts. */
function containerSecurity(more: ContainerSecurity = {}): ContainerSecurity {
  return { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] }, ...more };
}

/** The fields that the containers of kurun's server have in common. @param port the control port */
export function serverContainer(port: number) {
  return {
    imagePullPolicy: "IfNotPresent",
    readinessProbe: { httpGet: { scheme: "HTTPS", path: "/healthz", port }, periodSeconds: 1, timeoutSeconds: 2 },
    // The Pod's status then says why the server ended; reading logs takes a right that a session does not need otherwise.
    terminationMessagePolicy: "FallbackToLogsOnError",
    securityContext: containerSecurity({ readOnlyRootFilesystem: true }),
  };
}

function base64(content: Uint8Array | string): string {
  return Buffer.from(content as string).toString("base64");
}
