/** Requests of many sorts that change nothing, with what an admission webhook should be told of each. */
import type { AskedObject, AskedRequest, Vocabulary } from "../filter_reference.ts";
import type { SeededRandom } from "../seeded_random.ts";

/** A request to the API server. */
export interface Ask {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly body?: unknown;
  readonly contentType?: string;
  readonly user: string;
  /** What webhooks are asked. @param created the name that the API server generated, if it has done so yet */
  requests(created?: string): AskedRequest[];
}

/** Where requests are made. */
export interface Place {
  readonly namespace: string;
  readonly node: string;
}

type Labels = Record<string, string>;
type Facts = Omit<AskedRequest, "userInfo">;
type Draft = Omit<Ask, "user" | "requests"> & { readonly facts: (created?: string) => Facts[] };

const USERS = ["alice", "bob-2", "system:serviceaccount:dev:web", 'it\'s "q" \\ $(x)', "jürgen 🦊*", "a.b|c", "web"];
const NAMES = ["web", "web-1", "db", "x-canary"];
/** Names that only RBAC's objects may have. */
const ROLES = [...NAMES, "sys:web", 'it\'s "q"', "rôle\\d", "web (1)", "*", "Web"];
const LABELS = ["app=web", "app=db", "env=dev", "env=", "env=test.2_x", "x.io/a=", "x.io/a=web-1", "none=x"];
const KINDS = [
  ...["ConfigMap", "Namespace", "Node", "Pod", "Event", "Event.events.k8s.io", "Scale", "Scale.autoscaling", "Deployment.apps", "Lease"],
  ...[
    "PodExecOptions",
    "ClusterRole.rbac.authorization.k8s.io",
    "configmaps",
    "namespaces",
    "pods",
    "pods/exec",
    "pods/eviction",
    "events",
  ],
  ...["deployments.apps/scale", "deployments", "serviceaccounts/token", "roles", "events.events.k8s.io", "namespaces/status", "nodes"],
];

/** What filters of these requests are made of. */
export function vocabulary({ namespace, node }: Place): Vocabulary {
  return {
    namespace: [namespace, namespace, ...NAMES],
    name: [...NAMES, ...ROLES, namespace, node],
    kind: KINDS,
    label: LABELS,
    user: USERS,
  };
}

/** The labels of the ConfigMaps that exist. */
const OLD: Readonly<Record<string, Labels>> = { web: { app: "web", env: "dev" }, db: {}, "x-canary": { "x.io/a": "", env: "" } };

/** The objects that must exist in the namespace. */
export function askedObjects({ namespace }: Place): unknown[] {
  const metadata = { name: "web", namespace, labels: OLD.web };
  const securityContext = { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } };
  const pod = {
    schedulerName: "nobody",
    serviceAccountName: "web",
    securityContext: { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } },
    containers: [{ name: "web", image: "none.invalid/web", securityContext }],
  };
  return [
    ...Object.entries(OLD).map(([name, labels]) => ({ apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace, labels } })),
    { apiVersion: "v1", kind: "ServiceAccount", metadata },
    { apiVersion: "v1", kind: "Pod", metadata, spec: pod },
    {
      ...{ apiVersion: "apps/v1", kind: "Deployment", metadata },
      spec: { replicas: 0, selector: { matchLabels: OLD.web }, template: { metadata: { labels: OLD.web }, spec: pod } },
    },
  ];
}

/** A request of each sort, each random in the rest. */
export function randomAsks(random: SeededRandom, place: Place): Ask[] {
  return drafts(random, place).map(({ facts, ...draft }) => {
    const user = random.pick(USERS);
    return { ...draft, user, requests: (created) => facts(created).map((request) => ({ ...request, userInfo: { username: user } })) };
  });
}

const type = (group: string, kind: string, resource: string) => ({ kind: { group, kind }, resource: { group, resource } });
const CONFIG_MAP = type("", "ConfigMap", "configmaps");
const NAMESPACE = type("", "Namespace", "namespaces");
const POD = type("", "Pod", "pods");
const DRY = "?dryRun=All";
const MERGE = { method: "PATCH", contentType: "application/merge-patch+json" };

function drafts(random: SeededRandom, { namespace, node }: Place): Draft[] {
  const here = `/namespaces/${namespace}`;
  const labels: Labels = Object.fromEntries(LABELS.filter(() => random.chance(0.25)).map((label) => label.split("=") as [string, string]));
  const name = random.pick(NAMES);
  const old = random.pick(Object.keys(OLD));
  const oldObject = { metadata: { name: old, labels: OLD[old] as Labels } };
  const web = { name: "web", labels: OLD.web as Labels };

  /** An object to be created, whose name may be generated. */
  const created = (path: string, apiVersion: string, facts: Facts, names: readonly string[], body: unknown = {}): Draft => {
    const given = random.pick(names);
    const metadata: NonNullable<AskedObject["metadata"]> = {
      ...random.chance(0.3) ? { generateName: `${given}-` } : { name: given },
      ...random.chance(0.7) ? { labels } : {},
    };
    return {
      ...{ method: "POST", path: path + DRY, body: { apiVersion, kind: facts.kind.kind, metadata, ...body as object } },
      facts: (name = metadata.name) => [{ ...facts, ...(name === undefined ? {} : { name }), object: { metadata } }],
    };
  };
  const about = (kind: string) => ({ [kind]: { namespace, kind: "Pod", name: "web" }, reason: "Test", type: "Normal" });
  const eventBody = { eventTime: "2026-01-01T00:00:00.000000Z", action: "a", reportingController: "x.io/y", reportingInstance: "z" };
  const rbac = "rbac.authorization.k8s.io";

  return [
    created(`/api/v1${here}/configmaps`, "v1", { ...CONFIG_MAP, namespace }, NAMES),
    created("/api/v1/namespaces", "v1", NAMESPACE, NAMES),
    created(`/apis/${rbac}/v1/clusterroles`, `${rbac}/v1`, type(rbac, "ClusterRole", "clusterroles"), ROLES),
    created(`/apis/${rbac}/v1${here}/roles`, `${rbac}/v1`, { ...type(rbac, "Role", "roles"), namespace }, ROLES),
    created(`/api/v1${here}/events`, "v1", { ...type("", "Event", "events"), namespace }, NAMES, about("involvedObject")),
    created(
      ...[`/apis/events.k8s.io/v1${here}/events`, "events.k8s.io/v1"] as const,
      ...[{ ...type("events.k8s.io", "Event", "events"), namespace }, NAMES, { ...about("regarding"), ...eventBody }] as const,
    ),
    {
      ...{ method: "PATCH", path: `/api/v1${here}/configmaps/web-1${DRY}&fieldManager=test`, contentType: "application/apply-patch+yaml" },
      body: { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "web-1", labels } },
      facts: () => [{ ...CONFIG_MAP, name: "web-1", namespace, object: { metadata: { name: "web-1", labels } } }],
    },
    {
      ...{ method: "PUT", path: `/api/v1${here}/configmaps/${old}${DRY}` },
      body: { apiVersion: "v1", kind: "ConfigMap", metadata: { name: old, namespace, labels } },
      facts: () => [{ ...CONFIG_MAP, name: old, namespace, object: { metadata: { name: old, labels } }, oldObject }],
    },
    {
      // A Lease may be created by a PUT.
      ...{ method: "PUT", path: `/apis/coordination.k8s.io/v1${here}/leases/${name}${DRY}` },
      body: { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: { name, namespace, labels } },
      facts: () => [{ ...type("coordination.k8s.io", "Lease", "leases"), name, namespace, object: { metadata: { name, labels } } }],
    },
    {
      ...{ ...MERGE, path: `/api/v1${here}/configmaps/${old}${DRY}`, body: { metadata: { labels } } },
      facts:
        () => [{ ...CONFIG_MAP, name: old, namespace, object: { metadata: { name: old, labels: { ...OLD[old], ...labels } } }, oldObject }],
    },
    {
      ...{ method: "DELETE", path: `/api/v1${here}/configmaps/${old}${DRY}` },
      facts: () => [{ ...CONFIG_MAP, name: old, namespace, oldObject }],
    },
    {
      // Each object of a collection is asked about without request.name.
      ...{ method: "DELETE", path: `/api/v1${here}/configmaps${DRY}&labelSelector=env` },
      facts: () =>
        ["web", "x-canary"].map((name) => ({ ...CONFIG_MAP, namespace, oldObject: { metadata: { name, labels: OLD[name] as Labels } } })),
    },
    {
      ...{ ...MERGE, path: `/api/v1${here}${DRY}`, body: { metadata: { labels } } },
      facts: () => [{ ...NAMESPACE, name: namespace, object: { metadata: { labels } }, oldObject: {} }],
    },
    {
      ...{ ...MERGE, path: `/api/v1${here}/status${DRY}`, body: { status: { conditions: [] } } },
      facts: () => [{ ...NAMESPACE, subResource: "status", name: namespace, object: {}, oldObject: {} }],
    },
    { method: "DELETE", path: `/api/v1${here}${DRY}`, facts: () => [{ ...NAMESPACE, name: namespace, oldObject: {} }] },
    {
      ...{ ...MERGE, path: `/api/v1/nodes/${node}${DRY}`, body: { metadata: { labels } } },
      facts: () => [{ ...type("", "Node", "nodes"), name: node, object: { metadata: { labels } }, oldObject: {} }],
    },
    {
      ...{ method: "PUT", path: `/apis/apps/v1${here}/deployments/web/scale${DRY}` },
      body: { apiVersion: "autoscaling/v1", kind: "Scale", metadata: { name: "web", namespace }, spec: { replicas: 0 } },
      facts: () => {
        const kind = { group: "autoscaling", kind: "Scale" };
        return [{
          kind,
          resource: { group: "apps", resource: "deployments" },
          subResource: "scale",
          name: "web",
          namespace,
          object: {},
          oldObject: {},
        }];
      },
    },
    {
      ...{ method: "POST", path: `/api/v1${here}/pods/web/eviction${DRY}` },
      body: { apiVersion: "policy/v1", kind: "Eviction", metadata: { name: "web", labels } },
      facts: () => {
        const kind = { group: "policy", kind: "Eviction" };
        return [{ ...POD, kind, subResource: "eviction", name: "web", namespace, object: { metadata: { name: "web", labels } } }];
      },
    },
    {
      ...{ ...MERGE, path: `/api/v1${here}/pods/web/status${DRY}`, body: { status: { message: "x" } } },
      facts: () => [{ ...POD, subResource: "status", name: "web", namespace, object: { metadata: web }, oldObject: { metadata: web } }],
    },
    {
      method: "DELETE",
      path: `/api/v1${here}/pods/web${DRY}`,
      facts: () => [{ ...POD, name: "web", namespace, oldObject: { metadata: web } }],
    },
    {
      ...{ method: "GET", path: `/api/v1${here}/pods/${name}/exec?command=ls&stdout=true` },
      facts: () => [{ ...POD, kind: { group: "", kind: "PodExecOptions" }, subResource: "exec", name, namespace, object: {} }],
    },
    {
      ...{ method: "POST", path: `/api/v1${here}/serviceaccounts/web/token${DRY}` },
      body: { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: {} },
      facts: () => {
        const kind = { group: "authentication.k8s.io", kind: "TokenRequest" };
        return [{
          kind,
          resource: { group: "", resource: "serviceaccounts" },
          subResource: "token",
          name: "web",
          namespace,
          object: {},
        }];
      },
    },
  ];
}
