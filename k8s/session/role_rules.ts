/**
 * The rights of each command: the one table that the checks before a start, `kurun doctor`, and the Roles in docs/ are made from.
 *
 * @module
 */
import { proxyTarget } from "./dial/tunnel_dial.ts";
import { controlServiceName } from "./objects/session_plan.ts";

/** What rights are for: a command, or `sessions` for ls, stop and cleanup. */
export const PURPOSES = ["port-forward", "run", "apply", "webhook", "delete", "sessions"] as const;
/** One of {@linkcode PURPOSES}. */
export type Purpose = (typeof PURPOSES)[number];

/** A rule of a Role. */
export interface RoleRule {
  readonly for: readonly Purpose[];
  /** The API group; empty for the core group. */
  readonly group: string;
  /** Possibly with a subresource, such as `services/proxy`. */
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
  /** The comment above the rule; a rule without one belongs to the rule before it. */
  readonly why: string;
  /** `always`: nothing works without it; `problems`: better diagnostics, faster starts, and ls and stop; `option`: a Role has it only as a comment. */
  readonly need: "always" | "problems" | "option";
  /** The names of the objects; all objects if undefined. */
  readonly names?: readonly string[];
  /** Whether it belongs into a ClusterRole. @default {false} */
  readonly cluster?: boolean;
}

/** A rule as it is written below: for whom, `VERBS RESOURCES.GROUP`, why, and the rest. */
type Row = readonly [purposes: RoleRule["for"], rights: string, why: string, more?: Pick<RoleRule, "names" | "cluster">];

const PORT_FORWARD = ["port-forward"] as const;
const WEBHOOK = ["webhook"] as const;
const FORWARD = [...PORT_FORWARD, ...WEBHOOK] as const;
const RUN = ["run"] as const;
const SESSION = [...FORWARD, ...RUN] as const;
const APPLY = ["apply"] as const;
const DELETE = ["delete"] as const;
const SESSIONS = ["sessions"] as const;
const KINDS = "The kinds of the manifests: replace them by those that yours have.";

/** The rules of all purposes. @param services the Services of `port-forward` and `webhook` */
export function roleRules(services: readonly string[]): RoleRule[] {
  const control = { names: services.flatMap((service) => [service, controlServiceName(service)]) };
  const tunnel = { names: services.map(proxyTarget) };
  const set = { names: ["shop"] };
  const hooks = "mutatingwebhookconfigurations,validatingwebhookconfigurations.admissionregistration.k8s.io";
  const always: Row[] = [
    [SESSION, "create,patch,delete jobs.batch", "The session: a Job without Pods that owns all other objects."],
    [FORWARD, "create deployments.apps", "kurun's Pod: to create it, to wait until it is ready, and to report what it waits for."],
    [FORWARD, "watch pods", ""],
    [
      RUN,
      "create,watch pods",
      "The program's Pod. Whoever may create Pods can use all ServiceAccounts and Secrets of the namespace, with kubectl too.",
    ],
    [SESSION, "create services,secrets,configmaps", "With kurun's own image (kurun image), configmaps are not needed."],
    [FORWARD, "get services", "To check whether the Services' names are free.", control],
    [FORWARD, "get services/proxy", "The tunnel. The API server compares this name with the URL as text.", tunnel],
    [RUN, "get services/proxy", `The tunnel. With --name NAME at each start, add resourceNames: ["${proxyTarget("NAME")}"].`],
    [APPLY, "create,patch deployments.apps", KINDS],
    [APPLY, "create,patch services,configmaps", ""],
    [DELETE, "get,delete deployments.apps", KINDS],
    [DELETE, "get,delete services,configmaps", ""],
    [SESSIONS, "get,list,delete jobs.batch", "A session is a Job: to find it, and to end it."],
    [SESSIONS, "get services", "For kurun stop: to find a session by its Service."],
    [
      WEBHOOK,
      "create,delete rolebindings.rbac.authorization.k8s.io",
      "Webhook configurations apply only while this RoleBinding exists. You can grant only rights that you have, hence `answer`.",
    ],
    [WEBHOOK, "create roles.rbac.authorization.k8s.io", ""],
    [WEBHOOK, "answer sessions.kurun.dev", ""],
    [
      WEBHOOK,
      `get,list,create,patch,delete ${hooks}`,
      "The session's webhook configurations, and the condition in others that leaves its requests out.",
      { cluster: true },
    ],
  ];
  const problems: Row[] = [
    [SESSION, "watch events", "To explain why a Pod does not start, such as an exceeded quota or an image that cannot be pulled."],
    [
      SESSION,
      "get jobs.batch",
      "To resume or remove the session of a killed kurun, to name the owner of what is in use, and for kurun stop.",
    ],
    [SESSION, "list jobs.batch", "For kurun ls, kurun stop --all, kurun cleanup, and the names in shell completions."],
    [RUN, "get services", "For kurun stop: to find a session by its Service."],
    [RUN, "get pods", "With --name: to report who already uses that name."],
    [
      FORWARD,
      "list,create,patch endpointslices.discovery.k8s.io",
      "To join only this Service, not others that share its selector. Holders of the ClusterRole admin cannot grant this; without it kurun joins by labels.",
    ],
    [
      FORWARD,
      "create endpointslices/restricted.discovery.k8s.io",
      "The same on OpenShift, which otherwise refuses slices with the addresses of Pods.",
    ],
    [FORWARD, "patch services", "To start up to a second earlier: callers then reach the first Pod before its readiness probe.", {
      names: services,
    }],
    [FORWARD, "list services", "To find other Services that select the labels of kurun's Pod."],
    [
      WEBHOOK,
      "create localsubjectaccessreviews.authorization.k8s.io",
      "To see that the API server knows the switch. Without it kurun waits 2 s.",
    ],
    [FORWARD, "list limitranges,resourcequotas", "To fit the Pod's resources to the namespace."],
    [APPLY, "get deployments.apps", "With --wait and --diff, and to take over what kubectl apply has applied."],
    [APPLY, "get services,configmaps", ""],
    [APPLY, "list pods,events", "With --wait: to explain why a Pod does not start."],
    [SESSIONS, "get configmaps,pods", "For kurun stop: to wait until the session's objects are gone."],
    [SESSIONS, "get deployments.apps", ""],
  ];
  const option: Row[] = [
    [APPLY, "list,delete deployments.apps", "With --prune --applyset shop: to delete members of the set, and to record it in its Secret."],
    [APPLY, "list,delete services,configmaps", ""],
    [APPLY, "get,create,patch secrets", "", set],
    [DELETE, "list deployments.apps", "With --applyset shop: to find the members of the set, and to delete its Secret."],
    [DELETE, "list services,configmaps", ""],
    [DELETE, "get,delete secrets", "", set],
    [
      SESSIONS,
      "get services/proxy",
      'To see whether a client is connected, not only when it last was. It opens all Services; for one, add resourceNames: ["https:NAME-kurun:8333"].',
    ],
    [
      SESSIONS,
      "delete rolebindings.rbac.authorization.k8s.io",
      "To end sessions of kurun webhook without waiting for the garbage collector.",
    ],
    [SESSIONS, "create localsubjectaccessreviews.authorization.k8s.io", ""],
    [SESSIONS, `get,list,patch,delete ${hooks}`, "To remove what sessions of kurun webhook put into webhook configurations.", {
      cluster: true,
    }],
    [
      PORT_FORWARD,
      "get secrets",
      "To resume a session with its address and Pod instead of creating a new one. It opens all Secrets of the namespace.",
    ],
    [
      [...SESSION, ...SESSIONS],
      "list,delete services,secrets,configmaps,pods",
      "For kurun cleanup, to remove objects whose session is gone. It opens all Secrets of the namespace.",
    ],
    [[...SESSION, ...SESSIONS], "list,delete deployments.apps", ""],
    [[...FORWARD, ...SESSIONS], "list,delete endpointslices.discovery.k8s.io", ""],
    [
      SESSION,
      "get,create pods/portforward",
      "If the API server cannot reach Pods; services/proxy is then not needed. It opens all ports of the namespace's Pods.",
    ],
    [
      [...WEBHOOK, ...SESSIONS],
      "get,list,patch customresourcedefinitions.apiextensions.k8s.io",
      "For conversion webhooks: to let the session answer them, and to put back what a killed kurun left (kurun cleanup).",
      { cluster: true },
    ],
    [PORT_FORWARD, "get secrets", "With --tlssecret kurun-secret:", { names: ["kurun-secret"] }],
    [[...RUN, ...APPLY], "list nodes", "To build at once for the nodes' architecture, and to find out how images reach them.", {
      cluster: true,
    }],
  ];
  return Object.entries({ always, problems, option }).flatMap(([need, rows]) =>
    rows.map(([purposes, rights, why, more]) => {
      const [, verbs = "", resources = "", group = ""] = /^(\S+) ([^. ]+)\.?(\S*)$/.exec(rights) ?? [];
      return {
        for: purposes,
        group,
        resources: resources.split(","),
        verbs: verbs.split(","),
        why,
        need: need as RoleRule["need"],
        ...more,
      };
    })
  );
}
