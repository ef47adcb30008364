/**
 * The objects of a session, as they are sent to the API server. Pure: names and settings in, objects out.
 *
 * A Job without pods owns everything (parallelism 0, so nothing ever runs of it): when its deadline passes, or when it is deleted, the
 * cluster removes all that names it as owner. The client keeps moving the deadline.
 *
 * @module
 */

import { patchPod, type PodPatch } from "./pod_overrides.ts";

/** A Kubernetes object, as JSON. */
export type KubernetesObject = Record<string, unknown> & { metadata: Record<string, unknown> };

/** The port where the client connects; its Service has the same. */
export const CONTROL_PORT = 8333;
/** Says whose an object is, for people and for every cluster tool (Kubernetes "Recommended Labels"). */
export const MANAGED_BY = { "app.kubernetes.io/managed-by": "kurun" } as const;
/** The label that carries the session's name. */
export const SESSION_LABEL = "kurun.dev/session";
/** Annotations that say whose a session is; those of its Job count where it has been adopted. */
export const Annotation = {
  who: "kurun.dev/who",
  from: "kurun.dev/from",
  since: "kurun.dev/since",
  upstream: "kurun.dev/upstream",
  /** The user's Service and its ports. */
  service: "kurun.dev/service",
  ports: "kurun.dev/ports",
  /** The digest of what the objects were made of. */
  plan: "kurun.dev/plan",
  /** When the client last moved the deadline; on the Job alone. */
  seen: "kurun.dev/seen",
} as const;

/** What all objects of a session are made of. */
export interface SessionPlan {
  /** The session's name, also its Job's, Secret's and Deployment's. */
  readonly name: string;
  readonly namespace: string;
  /** The user's Service. */
  readonly service: string;
  /** The ports of that Service and where the Pod serves each. */
  readonly ports: readonly ServedPort[];
  /** The selector of a Service that is there already and that the Pod joins; without it the session makes the Service itself. */
  readonly joined?: { readonly selector: Readonly<Record<string, string>> };
  /** Whose certificate callers see, where the Pod ends their TLS, and the protocols that they are offered, best first (ALPN, RFC 7301). */
  readonly tls?: { readonly secret: string; readonly alpn: readonly string[] };
  readonly image: string;
  /** The Secret that the image is pulled with. */
  readonly imagePullSecret?: string;
  /** The user's own labels of the Pod. */
  readonly podLabels?: Readonly<Record<string, string>>;
  /** The user's own wishes for the Pod's spec, as checkPodPatch has let them through. */
  readonly podPatch?: PodPatch;
  /** Seconds that the session outlives its client; 0 for ever. */
  readonly ttlSeconds: number;
  /** How long a caller waits for a client, in milliseconds. */
  readonly holdMs: number;
  /** What an admission request gets while nobody is connected: a 503 as all others, or to be allowed. @default {"error"} */
  readonly fallback?: "error" | "allow";
  /** What the Pod is like where it runs programs instead of serving callers: then the session has one Pod and no Service for callers. */
  readonly run?: RunPod;
  /** Whether the server logs a line for each connection. */
  readonly verbose?: boolean;
  /** Who and where from, since when, for what. */
  readonly annotations: Readonly<Record<string, string>>;
}

/** What the user wants of a Pod that runs programs. */
export interface RunPod {
  /** Go's word for the node's, where the program is for one alone. */
  readonly architecture?: string;
  readonly serviceAccount?: string;
  /** The image that programs run in, in place of kurun's own. */
  readonly baseImage?: string;
  /** Amounts by the names of resources, as the API has them. */
  readonly requests?: Readonly<Record<string, string>>;
  readonly limits?: Readonly<Record<string, string>>;
  /** A strategic merge patch of the Pod. */
  readonly overrides?: Readonly<Record<string, unknown>>;
}

/** A port of the user's Service. */
export interface ServedPort {
  readonly name?: string;
  /** What callers speak, where it is known (Kubernetes "Application protocol"). */
  readonly appProtocol?: string;
  /** The Service's port. */
  readonly port: number;
  /** The Pod's port. */
  readonly targetPort: number;
  /** What the Pod calls that port, where the Service asks for it by name. */
  readonly targetName?: string;
}

/** What proves and protects a session: never in arguments or logs, only in its Secret. */
export interface SessionSecrets {
  /** 32 random bytes. */
  readonly key: Uint8Array;
  /** PEM of the control port's certificate and its key. */
  readonly cert: string;
  readonly certKey: string;
}

/** The name of the Service that the client's connection goes through. */
export function controlServiceName(service: string): string {
  return `${service}-kurun`;
}

/** The Job that owns the session. */
export function sessionJob(plan: SessionPlan): KubernetesObject {
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: metadata(plan, plan.name, undefined),
    spec: {
      parallelism: 0,
      backoffLimit: 0,
      ttlSecondsAfterFinished: 0,
      ...(plan.ttlSeconds > 0 ? { activeDeadlineSeconds: plan.ttlSeconds } : {}),
      template: {
        metadata: { labels: labels(plan) },
        // No Pod is ever made of it, but a namespace that warns of Pod Security reads it all the same.
        spec: { restartPolicy: "Never", ...podSecurity(), containers: [{ name: "none", image: plan.image, ...containerSecurity() }] },
      },
    },
  };
}

/** The session's key and the control port's certificate. */
export function sessionSecret(plan: SessionPlan, owner: Owner, secrets: SessionSecrets): KubernetesObject {
  return {
    apiVersion: "v1",
    kind: "Secret",
    type: "Opaque",
    metadata: metadata(plan, plan.name, owner),
    data: { key: base64(secrets.key), "tls.crt": base64(encode(secrets.cert)), "tls.key": base64(encode(secrets.certKey)) },
  };
}

/** The Service that the client's connection goes through; it leads to the Pod even before that is ready. */
export function controlService(plan: SessionPlan, owner: Owner): KubernetesObject {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: metadata(plan, controlServiceName(plan.service), owner),
    spec: {
      selector: { [SESSION_LABEL]: plan.name },
      publishNotReadyAddresses: true,
      ports: [{ name: "control", port: CONTROL_PORT, targetPort: controlTargetPort(plan) }],
    },
  };
}

/** The Service that callers in the cluster use. */
export function userService(plan: SessionPlan, owner: Owner): KubernetesObject {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: metadata(plan, plan.service, owner),
    spec: {
      selector: { [SESSION_LABEL]: plan.name },
      ports: plan.ports.map(({ name, appProtocol, port, targetPort }) => ({
        name: name ?? `port-${port}`,
        ...(appProtocol === undefined ? {} : { appProtocol }),
        port,
        targetPort,
      })),
    },
  };
}

/** The server's Deployment: one Pod, as the Pod Security level `restricted` wants it. */
export function serverDeployment(plan: SessionPlan, owner: Owner): KubernetesObject {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: metadata(plan, plan.name, owner),
    spec: {
      replicas: 1,
      selector: { matchLabels: { [SESSION_LABEL]: plan.name } },
      template: {
        metadata: {
          // A joined Service's selector goes before what is ours, but for the session: the Deployment knows its Pod by that alone.
          labels: {
            ...plan.podLabels,
            ...labels(plan),
            "sidecar.istio.io/inject": "false",
            ...plan.joined?.selector,
            [SESSION_LABEL]: plan.name,
          },
          // The API server, whence the client comes, is outside of any mesh.
          annotations: { "sidecar.istio.io/inject": "false", "linkerd.io/inject": "disabled" },
        },
        spec: patchPod(serverPod(plan), plan.podPatch ?? {}),
      },
    },
  };
}

/** Names the session's Job as owner; `blockOwnerDeletion` stays out, which some clusters allow only to few. */
export interface Owner {
  readonly name: string;
  readonly uid: string;
}

function serverPod(plan: SessionPlan): Record<string, unknown> {
  const unprivileged = plan.ports.every(({ targetPort }) => targetPort >= 1024);
  return {
    ...podSecurity(unprivileged ? {} : { sysctls: [{ name: "net.ipv4.ip_unprivileged_port_start", value: "0" }] }),
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    terminationGracePeriodSeconds: 10,
    ...(plan.imagePullSecret === undefined ? {} : { imagePullSecrets: [{ name: plan.imagePullSecret }] }),
    volumes: [
      { name: "session", secret: { secretName: plan.name } },
      ...(plan.tls ? [{ name: "tls", secret: { secretName: plan.tls.secret } }] : []),
    ],
    containers: [{
      name: "server",
      image: plan.image,
      imagePullPolicy: "IfNotPresent",
      args: [
        `--session=${plan.name}`,
        "--instance=$(POD_NAME)",
        `--control-port=${controlTargetPort(plan)}`,
        ...targetPorts(plan).map((port) => `--request-port=${port}`),
        ...plan.ports.map(({ port }) => `--service=${plan.service}.${plan.namespace}.svc:${port}`),
        `--hold-ms=${plan.holdMs}`,
        ...(plan.fallback === "allow" ? ["--fallback=allow"] : []),
        "--secret-dir=/kurun/session",
        ...(plan.tls ? ["--tls-dir=/kurun/tls", ...plan.tls.alpn.map((protocol) => `--alpn=${protocol}`)] : []),
        ...(plan.verbose ? ["--verbose"] : []),
      ],
      env: [{ name: "POD_NAME", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } }],
      ports: [
        { name: "kurun-control", containerPort: controlTargetPort(plan) },
        ...containerPorts(plan),
      ],
      readinessProbe: {
        httpGet: { scheme: "HTTPS", path: "/healthz", port: controlTargetPort(plan) },
        periodSeconds: 1,
        timeoutSeconds: 2,
      },
      // So that the Pod's status says why the server ended: to read logs is a right of its own.
      terminationMessagePolicy: "FallbackToLogsOnError",
      // 190 MB at most in ordinary use; 1,024 hostile callers that send and never read made it 510 MB (tests/attack).
      resources: { requests: { cpu: "20m", memory: "96Mi" }, limits: { cpu: "2", memory: "640Mi" } },
      volumeMounts: [
        { name: "session", mountPath: "/kurun/session", readOnly: true },
        ...(plan.tls ? [{ name: "tls", mountPath: "/kurun/tls", readOnly: true }] : []),
      ],
      ...containerSecurity({ readOnlyRootFilesystem: true }),
    }],
  };
}

/** The Pod's ports that the Services' ports lead to, each once. */
function targetPorts(plan: SessionPlan): number[] {
  return [...new Set(plan.ports.map(({ targetPort }) => targetPort))];
}

/** By name where the Service asks by name, and a number may have two names. */
function containerPorts(plan: SessionPlan): { name?: string; containerPort: number }[] {
  const named = new Map(plan.ports.flatMap(({ targetName, targetPort }) => targetName ? [[targetName, targetPort] as const] : []));
  const numbered = targetPorts(plan).filter((port) => ![...named.values()].includes(port));
  return [
    ...[...named].map(([name, containerPort]) => ({ name, containerPort })),
    ...numbered.map((containerPort) => ({ containerPort })),
  ];
}

/** The Pod's control port: 8333, or the next one that the Service's ports leave free. */
function controlTargetPort(plan: SessionPlan): number {
  let port = CONTROL_PORT;
  while (plan.ports.some(({ targetPort }) => targetPort === port)) port++;
  return port;
}

/** An object's metadata: what says whose it is. */
export function metadata(plan: SessionPlan, name: string, owner: Owner | undefined): Record<string, unknown> {
  return {
    name,
    namespace: plan.namespace,
    labels: labels(plan),
    annotations: { ...plan.annotations },
    ...(owner ? { ownerReferences: [{ apiVersion: "batch/v1", kind: "Job", name: owner.name, uid: owner.uid }] } : {}),
  };
}

function labels(plan: SessionPlan): Record<string, string> {
  return { ...MANAGED_BY, [SESSION_LABEL]: plan.name };
}

/** No fixed user: the image has one, and OpenShift chooses its own. */
export function podSecurity(more: Record<string, unknown> = {}): Record<string, unknown> {
  return { securityContext: { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" }, ...more } };
}

/** As the Pod Security level `restricted` wants it. */
export function containerSecurity(more: Record<string, unknown> = {}): Record<string, unknown> {
  return { securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] }, ...more } };
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function base64(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}
