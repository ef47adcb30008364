import { Buffer } from "node:buffer";
import type { Container, New, NewJob, NewSecret, NewService, PodSpec } from "../../api/kubernetes_objects.ts";
import { type CommonPlan, CONTROL_PORT, controlServiceName, MANAGED_BY, SESSION_LABEL, type SessionSecrets } from "./session_plan.ts";

/** Keeps a Pod out of a service mesh: the client arrives through the API server, which is outside any mesh. */
const NO_MESH = { "sidecar.istio.io/inject": "false" };
/** What the Pod Security level `restricted` requires of a Pod. It sets no user: the image has one, and OpenShift assigns its own. */
const POD_SECURITY = { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } };
/** What the Pod Security level `restricted` requires of a container. */
const CONTAINER_SECURITY = { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } };

/**
 * The Job that owns the session. It has no Pods (parallelism 0). When it is deleted or its deadline passes, the cluster removes everything
 * that names it as owner; the client keeps moving the deadline.
 */
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
          securityContext: POD_SECURITY,
          containers: [{ name: "none", image: plan.image, securityContext: CONTAINER_SECURITY }],
        },
      },
    },
  };
}

/** The session's key and the control port's certificate. */
export function sessionSecret(plan: CommonPlan, uid: string, secrets: SessionSecrets): NewSecret {
  const base64 = (content: Uint8Array | string) => Buffer.from(content as string).toString("base64");
  return {
    apiVersion: "v1",
    kind: "Secret",
    type: "Opaque",
    metadata: metadata(plan, plan.name, uid),
    data: { key: base64(secrets.key), "tls.crt": base64(secrets.cert), "tls.key": base64(secrets.certKey) },
  };
}

/** The Service that the client connects through. It routes to the Pod's control port even before the Pod is ready. */
export function controlService(plan: CommonPlan, uid: string, targetPort: number): NewService {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: metadata(plan, controlServiceName(plan.service), uid),
    spec: {
      selector: { [SESSION_LABEL]: plan.name },
      publishNotReadyAddresses: true,
      ports: [{ name: "control", port: CONTROL_PORT, targetPort }],
    },
  };
}

/** Metadata that says whose an object is. @param uid that of the owning Job */
export function metadata(plan: CommonPlan, name: string, uid?: string): New["metadata"] {
  return {
    name,
    namespace: plan.namespace,
    labels: labels(plan),
    annotations: { ...plan.annotations },
    // Without blockOwnerDeletion, which some clusters grant to few users only.
    ...(uid === undefined ? {} : { ownerReferences: [{ apiVersion: "batch/v1", kind: "Job", name: plan.name, uid }] }),
  };
}

function labels(plan: CommonPlan): Record<string, string> {
  return { ...MANAGED_BY, [SESSION_LABEL]: plan.name };
}

/** The labels and annotations of the session's Pod, in addition to those of {@linkcode metadata}. */
export function podMetadata(plan: CommonPlan) {
  return { labels: { ...labels(plan), ...NO_MESH }, annotations: { ...NO_MESH, "linkerd.io/inject": "disabled" } };
}

/**
 * What the Pods of both kinds of session have in common, and their container: kurun's server.
 * @param port the control port
 */
export function serverPod(plan: CommonPlan, name: string, port: number) {
  const container = {
    name,
    image: plan.image,
    imagePullPolicy: "IfNotPresent",
    readinessProbe: { httpGet: { scheme: "HTTPS", path: "/healthz", port }, periodSeconds: 1, timeoutSeconds: 2 },
    // The Pod's status then says why the server ended; reading logs takes a right that a session does not need otherwise.
    terminationMessagePolicy: "FallbackToLogsOnError",
    securityContext: { ...CONTAINER_SECURITY, readOnlyRootFilesystem: true },
    args: [`--session=${plan.name}`, "--instance=$(POD_NAME)", `--control-port=${port}`, "--secret-dir=/kurun/session"],
    env: [{ name: "POD_NAME", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } }],
    ports: [{ name: "kurun-control", containerPort: port }],
    volumeMounts: [{ name: "session", mountPath: "/kurun/session", readOnly: true }],
  } satisfies Container;
  const pod = {
    securityContext: POD_SECURITY,
    enableServiceLinks: false,
    terminationGracePeriodSeconds: 10,
    ...(plan.imagePullSecret === undefined ? {} : { imagePullSecrets: [{ name: plan.imagePullSecret }] }),
    volumes: [{ name: "session", secret: { secretName: plan.name } }],
  } satisfies Partial<PodSpec>;
  return { pod, container };
}
