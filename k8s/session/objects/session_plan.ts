import type { PodPatch } from "./pod_overrides.ts";

/** The port that the client connects to; its Service has the same number. */
export const CONTROL_PORT = 8333;
/** Marks kurun's objects for people and for every cluster tool (Kubernetes "Recommended Labels"). */
export const MANAGED_BY = { "app.kubernetes.io/managed-by": "kurun" } as const;
/** The label that carries the session's name. */
export const SESSION_LABEL = "kurun.dev/session";
/** Annotations of all objects of a session. Those of the Job are authoritative: an adoption changes only them. */
export const Annotation = {
  who: "kurun.dev/who",
  from: "kurun.dev/from",
  since: "kurun.dev/since",
  upstream: "kurun.dev/upstream",
  /** The user's Service and its ports. */
  service: "kurun.dev/service",
  ports: "kurun.dev/ports",
  /** The digest of the plan that the objects were made from. */
  plan: "kurun.dev/plan",
  /** A digest of each flag that the objects follow from, such as `--hold:1a2b3c4d,…`. */
  flags: "kurun.dev/flags",
  /** When the client last moved the deadline; on the Job only. */
  seen: "kurun.dev/seen",
  /** What a webhook session answers: the configurations, and which of their requests (k8s/webhook/hook_filter.ts, as JSON). */
  serves: "kurun.dev/serves",
  filter: "kurun.dev/filter",
  /** The session's namespace; on objects that are in none. */
  namespace: "kurun.dev/namespace",
} as const;

/** What the plans of both kinds of session have in common. */
export interface CommonPlan {
  /** The name of the session and of its Job, Secret, ConfigMap, and Deployment or Pod. */
  readonly name: string;
  readonly namespace: string;
  /** The Service that callers use. A run has none, and uses its own name. */
  readonly service: string;
  /** The image that the server runs in. */
  readonly image: string;
  /** The server's source, for the session's ConfigMap; undefined if the image contains the server. */
  readonly server?: string;
  /** Where the session has the server: in a ConfigMap, or in its Secret if the cluster refuses the ConfigMap. @default {"ConfigMap"} */
  readonly serverIn?: "ConfigMap" | "Secret";
  /** The user that containers run as; undefined if the cluster chooses one for each namespace, as OpenShift does. */
  readonly runAsUser?: number;
  readonly imagePullSecret?: string;
  /** Seconds that the session outlives its client; 0 keeps it forever. */
  readonly ttlSeconds: number;
  /** Who uses the session, from where, since when and for what, by {@linkcode Annotation}. */
  readonly annotations: Readonly<Record<string, string>>;
}

/** The plan of a session that forwards a Service's callers to a program on the laptop. */
export interface ForwardPlan extends CommonPlan {
  /** The ports of the user's Service and where the Pod serves each. */
  readonly ports: readonly ServedPort[];
  /**
   * How the Pod joins an existing Service: by EndpointSlices for the Service's address families, which affect no other Service, or by the
   * labels that it selects. Without it the session creates the Service.
   */
  readonly joined?: { readonly families: readonly string[]; readonly headless: boolean } | {
    readonly selector: Readonly<Record<string, string>>;
  };
  /** Set if the Pod terminates callers' TLS: with which certificate, and the offered protocols, best first (ALPN, RFC 7301). */
  readonly tls?: ServedCertificate & { readonly alpn: readonly string[] };
  /** Labels that the user added to the Pod. */
  readonly podLabels?: Readonly<Record<string, string>>;
  /** The user's changes to the Pod's spec, checked by checkPodPatch. */
  readonly podPatch?: PodPatch;
  /** What the Pod requests and is limited to, if other than usual. It does not make another plan: quotas change from start to start. */
  readonly resources?: Resources | undefined;
  /** How long a caller waits for a client, in milliseconds. */
  readonly holdMs: number;
  /** What an admission review gets while no client is connected: a 503 like all other requests, or to be allowed. @default {"error"} */
  readonly fallback?: "error" | "allow";
  /** Whether the server logs a line for each connection. */
  readonly verbose?: boolean;
  /** Whether the session's own Service has its first Pod as soon as that has an address, until {@linkcode endEarlyCalls}. */
  readonly early?: boolean;
}

/** The certificate that callers get: that of an existing Secret, or one of the session, for which it creates a Secret (both as PEM). */
export type ServedCertificate = { readonly secret: string } | { readonly certPem: string; readonly keyPem: string };

/** The plan of a session whose Pod runs programs. It has no Service for callers. */
export interface RunPlan extends CommonPlan {
  readonly run: RunPod;
}

/** The plan of a session. */
export type SessionPlan = ForwardPlan | RunPlan;

/** What the user wants of a Pod that runs programs. */
export interface RunPod {
  /** The node's architecture in Go's spelling, if the program is built for only one. */
  readonly architecture?: string;
  readonly serviceAccount?: string;
  /** The image that programs run in, instead of the server's. */
  readonly baseImage?: string;
  readonly requests?: Resources["requests"];
  readonly limits?: Resources["limits"];
  /** A strategic merge patch of the Pod. */
  readonly overrides?: PodPatch;
}

/** Quantities by resource name, as in the API. */
export interface Resources {
  readonly requests: Readonly<Record<string, string>>;
  readonly limits: Readonly<Record<string, string>>;
}

/** A port of the user's Service. */
export interface ServedPort {
  readonly name?: string;
  /** What callers speak, if known (Kubernetes "Application protocol"). */
  readonly appProtocol?: string;
  /** The Service's port. */
  readonly port: number;
  /** The Pod's port. */
  readonly targetPort: number;
  /** The Pod's name for that port, if the Service refers to it by name. */
  readonly targetName?: string;
}

/** What protects a session. It never appears in arguments or logs, only in the session's Secret. */
export interface SessionSecrets {
  /** 32 random bytes. */
  readonly key: Uint8Array;
  /** PEM of the control port's certificate and its key. */
  readonly cert: string;
  readonly certKey: string;
}

/** Whether a plan is that of a run. */
export function isRun(plan: SessionPlan): plan is RunPlan {
  return "run" in plan;
}

/**
 * Whether a plan is that of `kurun webhook`: configurations in the cluster depend on the session (k8s/webhook/), and its certificate for
 * callers is made at each start, so it is never resumed.
 */
export function isWebhook(plan: SessionPlan): plan is ForwardPlan {
  return !isRun(plan) && plan.tls !== undefined && !("secret" in plan.tls);
}

/** The name of the Service that the client connects through. */
export function controlServiceName(service: string): string {
  return `${service}-kurun`;
}

/** The root of the API that has each kind of a session's objects. */
export const API_ROOTS = {
  Job: "/apis/batch/v1",
  Service: "/api/v1",
  Secret: "/api/v1",
  ConfigMap: "/api/v1",
  Deployment: "/apis/apps/v1",
  Pod: "/api/v1",
  EndpointSlice: "/apis/discovery.k8s.io/v1",
  Role: "/apis/rbac.authorization.k8s.io/v1",
  RoleBinding: "/apis/rbac.authorization.k8s.io/v1",
} as const;

/** The API path of one of a session's objects, or of all objects of its kind. @param namespace undefined for all namespaces */
export function objectPath(kind: keyof typeof API_ROOTS, namespace: string | undefined, name?: string): string {
  const within = namespace === undefined ? "" : `/namespaces/${namespace}`;
  return `${API_ROOTS[kind]}${within}/${kind.toLowerCase()}s${name === undefined ? "" : `/${name}`}`;
}

/** Whether the session has a ConfigMap with the server. */
export function hasConfigMap({ server, serverIn }: CommonPlan): boolean {
  return server !== undefined && serverIn !== "Secret";
}
