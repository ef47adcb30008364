import { type Purpose, type RoleRule, roleRules } from "../../k8s/session/role_rules.ts";

/** What a Role is printed for. */
export interface RoleOptions {
  readonly purposes: readonly Purpose[];
  /** The Services of `port-forward` and `webhook`. */
  readonly services: readonly string[];
  /** Left to `kubectl apply -n` if undefined. */
  readonly namespace?: string | undefined;
  /** The user's name as the API server knows it; a placeholder if undefined. */
  readonly user?: string | undefined;
}

const API = "rbac.authorization.k8s.io";
const OPTIONAL = "The rules below are optional: they give better diagnostics and faster starts, and enable single features.";
/** An administrator who prints the Role for somebody else has another name. */
const OWN_SERVICE =
  "Without --servicename, the Service of kurun webhook is kurun-webhook-NAME: NAME is the user's name on their own machine.";

/** The least Role for some purposes and its RoleBinding, and the same for the cluster if they need that, as YAML with comments. */
export function roleText({ purposes, services, namespace, user }: RoleOptions): string {
  const rules = roleRules(services).filter((rule) => rule.for.some((purpose) => purposes.includes(purpose)));
  const name = `kurun${purposes.join() === "port-forward" ? "" : `-${purposes.join("-")}`}`;
  // Each user has a binding of their own: another one of the same name would take the rights from the first.
  const bindingName = user === undefined ? name : `${name}-${user.replace(/[/%]/g, "-")}`;
  const objects = (kind: "Role" | "ClusterRole", rules: readonly RoleRule[]) => {
    const head = (kind: string, name: string) => [`apiVersion: ${API}/v1`, `kind: ${kind}`, "metadata:", `  name: ${scalar(name)}`];
    const place = namespace === undefined || kind === "ClusterRole" ? [] : [`  namespace: ${scalar(namespace)}`];
    const text = (need: RoleRule["need"]) => rules.filter((rule) => rule.need === need).flatMap(ruleLines);
    return [
      ...[...head(kind, name), ...place, "rules:", ...text("always")],
      ...(kind === "Role" ? [`  # ${OPTIONAL}`] : []),
      ...[...text("problems"), ...text("option").map((line) => line.replace(/^ {2}(?!# )/, "  # ")), "---"],
      ...[...head(`${kind}Binding`, bindingName), ...place],
      ...[
        "roleRef:",
        `  apiGroup: ${API}`,
        `  kind: ${kind}`,
        `  name: ${name}`,
        "subjects:",
        ...subjectLines(user, kind === "ClusterRole" ? namespace ?? "default" : undefined),
      ],
    ];
  };
  const inCluster = rules.filter(({ cluster }) => cluster);
  return [
    `# The minimal rights for ${
      purposes.map((purpose) => purpose === "sessions" ? "kurun ls, stop and cleanup" : `kurun ${purpose}`).join(", ")
    } in one namespace, and a RoleBinding for the user.`,
    `# Apply it as an administrator: kubectl apply${namespace === undefined ? "" : ` -n ${namespace}`} -f FILE`,
    "# kurun doctor --rbac prints it for another namespace (-n), Service (--servicename), user (--as) or purpose (--for).",
    ...(purposes.includes("webhook") ? [`# ${OWN_SERVICE}`] : []),
    ...objects("Role", rules.filter(({ cluster }) => !cluster)),
    ...(inCluster.length === 0 ? [] : inCluster.some(({ need }) => need !== "option")
      ? ["---", ...objects("ClusterRole", inCluster)]
      // An administrator of the namespace alone cannot create it, and nothing depends on it.
      : ["# ---", ...objects("ClusterRole", inCluster).map((line) => `# ${line.replace(/^ {2}# (?=- | {2})/, "  ")}`)]),
  ].join("\n") + "\n";
}

function ruleLines({ why, group, resources, names, verbs }: RoleRule): string[] {
  return [
    ...(why === "" ? [] : [`  # ${why}`]),
    `  - apiGroups: ${list([group])}`,
    `    resources: ${list(resources)}`,
    ...(names === undefined ? [] : [`    resourceNames: ${list(names)}`]),
    `    verbs: ${list(verbs)}`,
  ];
}

/** @param home the namespace of the ServiceAccount that stands for the user, if a binding has to name it */
function subjectLines(user: string | undefined, home: string | undefined): string[] {
  const [, namespace, account] = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(user ?? "") ?? [];
  if (namespace && account) return ["  - kind: ServiceAccount", `    name: ${scalar(account)}`, `    namespace: ${scalar(namespace)}`];
  if (user !== undefined) return [`  - apiGroup: ${API}`, "    kind: User", `    name: ${scalar(user)}`];
  return [
    '  # The ServiceAccount "kurun" of the same namespace.',
    `  # For people, use kind: User or kind: Group with apiGroup: ${API}.`,
    "  - kind: ServiceAccount",
    "    name: kurun",
    ...(home === undefined ? [] : [`    namespace: ${scalar(home)}`]),
  ];
}

function list(values: readonly string[]): string {
  return `[${values.map(scalar).join(", ")}]`;
}

/** A word that YAML reads as text, else JSON, which is YAML too. */
function scalar(text: string): string {
  return /^[a-z][\w./-]*$/i.test(text) && !/^(y|n|yes|no|on|off|true|false|null)$/i.test(text) ? text : JSON.stringify(text);
}
