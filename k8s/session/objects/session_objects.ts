import { Buffer } from "node:buffer";
import type { Container, New, NewConfigMap, NewJob, NewSecret, NewService, PodSpec } from "../../api/kubernetes_objects.ts";
import { DENO_ENVIRONMENT, SERVER_PATH } from "../../images/server_command.ts";
import {
  type CommonPlan,
  CONTROL_PORT,
  controlServiceName,
  hasConfigMap,
  MANAGED_BY,
  SESSION_LABEL,
  type SessionSecrets,
} from "./session_plan.ts";

/** The Job's uid in a dry run before it exists: the API server requires some uid of an owner. */
export const NO_UID = "not-made-yet";
/** Keeps a Pod out of a service mesh: the client arrives through the API server, which is outside any mesh. */
const NO_MESH = { "sidecar.istio.io/inject": "false" };
/** The file in the server's ConfigMap, and the folder where containers have it. */
const SERVER_FILE = "server.js";
const SERVER_FOLDER = "/kurun/server";
/** The variables that Deno starts with. PATH stays the image's: its entrypoint may look for Deno there, and programs for theirs. */
export const DENO_VARIABLES = Object.entries(DENO_ENVIRONMENT).filter(([name]) => name !== "PATH").map(([name, value]) => ({
  name,
  value,
}));
/** What the Pod Security level `restricted` requires of a Pod. */
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
          securityContext: podSecurity(plan),
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
    data: {
      key: base64(secrets.key),
      "tls.crt": base64(secrets.cert),
      "tls.key": base64(secrets.certKey),
      ...(plan.server === undefined || hasConfigMap(plan) ? {} : { [SERVER_FILE]: base64(plan.server) }),
    },
  };
}

/** The server, for a Pod whose image does not contain it. */
export function serverConfigMap(plan: CommonPlan, uid: string, server: string): NewConfigMap {
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: metadata(plan, plan.name, uid),
    // Nobody can change what the next Pod runs, and the kubelet does not watch it.
    immutable: true,
    data: { [SERVER_FILE]: server },
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

/** denoland/deno's images have no user of their own. */
function podSecurity({ runAsUser }: CommonPlan) {
  return { ...POD_SECURITY, ...(runAsUser === undefined ? {} : { runAsUser }) };
}

/** The server's path in the containers that it starts from. */
export function serverPath({ server }: CommonPlan): string {
  return server === undefined ? SERVER_PATH : `${SERVER_FOLDER}/${SERVER_FILE}`;
}

function serverSource(plan: CommonPlan) {
  if (hasConfigMap(plan)) return { configMap: { name: plan.name } };
  return { secret: { secretName: plan.name, items: [{ key: SERVER_FILE, path: SERVER_FILE }] } };
}

/** The mount of the server, unless the image contains it. */
export function serverMounts({ server }: CommonPlan) {
  return server === undefined ? [] : [{ name: "server", mountPath: SERVER_FOLDER, readOnly: true }];
}

/**
 * What the Pods of both kinds of session have in common, and their container: kurun's server. It has no command: the image's entrypoint
 * starts Deno, wherever it is in the image.
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
    env: [...DENO_VARIABLES, { name: "POD_NAME", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } }],
    ports: [{ name: "kurun-control", containerPort: port }],
    volumeMounts: [{ name: "session", mountPath: "/kurun/session", readOnly: true }],
  } satisfies Container;
  const pod = {
    securityContext: podSecurity(plan),
    enableServiceLinks: false,
    terminationGracePeriodSeconds: 10,
    ...(plan.imagePullSecret === undefined ? {} : { imagePullSecrets: [{ name: plan.imagePullSecret }] }),
    volumes: [
      { name: "session", secret: { secretName: plan.name } },
      ...(plan.server === undefined ? [] : [{ name: "server", ...serverSource(plan) }]),
    ],
  } satisfies Partial<PodSpec>;
  return { pod, container };
}
