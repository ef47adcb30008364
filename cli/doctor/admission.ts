import type { Api } from "../../k8s/api/api.ts";
import { ApiError, onStatus } from "../../k8s/api/api_error.ts";
import { ConnectionError } from "../../k8s/api/connection_error.ts";
import type { Namespace, New } from "../../k8s/api/kubernetes_objects.ts";
import { serverDeployment } from "../../k8s/session/objects/forward_objects.ts";
import { sessionObjects } from "../../k8s/session/objects/session_manifests.ts";
import { NO_UID } from "../../k8s/session/objects/session_objects.ts";
import { type API_ROOTS, isRun, objectPath, type SessionPlan } from "../../k8s/session/objects/session_plan.ts";
import { fitCluster } from "../../k8s/session/pod/fit_cluster.ts";
import { type Hook, hooksFor } from "./dead_webhooks.ts";
import { type Finding, missingRight, problem, unchecked } from "./finding.ts";

/** What is to be admitted, and where. */
export interface Admission {
  readonly api: Api;
  readonly namespace: string;
  readonly plans: readonly SessionPlan[];
  /** The cluster's webhooks, to name those that may hang. */
  readonly hooks: Promise<readonly Hook[]>;
  /** How long an answer may take, in milliseconds. */
  readonly limitMs: number;
  readonly signal: AbortSignal;
}

/** What to do about a refusal, by its text. */
const ADVICE: readonly (readonly [RegExp, string])[] = [
  [/exceeded quota/, "Free some of the namespace's quota, or choose another namespace with -n"],
  [/failed quota|must specify/, "Set the Pod's resources: --requests and --limits of kurun run, --server-overrides of port-forward"],
  [/violates PodSecurity/, "kurun's own Pod passes Pod Security restricted: check what overrides and webhooks change in it"],
  [/usage per (Container|Pod)|request ratio/, "The namespace's LimitRange refuses it: set resources with --limits or --server-overrides"],
  [/failed calling webhook|not answered within/, "Start what serves the webhook, or delete its configuration"],
  [/ValidatingAdmissionPolicy|denied the request/, "Ask whoever set this policy, or fit the Pod with --server-overrides or --label"],
];

/** Asks by dry runs whether the namespace exists and takes each object of a session, and the Pod as the Deployment's controller makes it. */
export async function checkAdmission(admission: Admission): Promise<Finding[]> {
  const { api, namespace, signal } = admission;
  const [found, answers] = await Promise.all([
    api.find<Namespace>(`/api/v1/namespaces/${namespace}`, { signal }).catch(onStatus([403], "hidden" as const)),
    Promise.all(admission.plans.map((plan) => refusals(admission, plan))),
  ]);
  const refused = answers.flat();
  const says = (pattern: RegExp) => refused.some(({ error }) => pattern.test(error?.message ?? ""));
  if (!found || says(/^namespaces "[^"]*" not found/)) {
    const todo = `Create it with kubectl create namespace ${namespace}, or choose another with -n`;
    return [problem("namespace", `namespace ${namespace} does not exist`, todo)];
  }
  if (found !== "hidden" && found.body.metadata.deletionTimestamp || says(/because it is being terminated/)) {
    return [problem("namespace", `namespace ${namespace} is being deleted and takes no new objects`, "Choose another with -n")];
  }
  const isKnown = found !== "hidden" || refused.some(({ error }) => missingRight(error) === undefined);
  return [...(isKnown ? [] : [unchecked("namespace", "this needs the right to get namespaces")]), ...groupRefusals(refused)];
}

/** The answer to one dry run; without an error, the cluster takes the object. */
interface Refusal {
  readonly kind: string;
  readonly purpose: string;
  readonly error?: Error;
}

async function refusals({ api, hooks, limitMs, signal }: Admission, given: SessionPlan): Promise<Refusal[]> {
  // Whether the server fits into a ConfigMap is asked below, with everything else.
  const { server, ...fits } = given;
  const plan = { ...await fitCluster(api, fits as SessionPlan, signal), ...(server === undefined ? {} : { server }) } as SessionPlan;
  const objects = sessionObjects(plan, NO_UID, { key: new Uint8Array(32), cert: "", certKey: "" });
  // A webhook may hang for up to 30 s.
  const seconds = limitMs * 0.75 / 1000;
  const query = { dryRun: "All", timeout: `${seconds}s` };
  return await Promise.all([...objects, ...(isRun(plan) ? [] : [barePod(plan)])].map(async ({ kind, ...object }) => {
    const refusal = { kind, purpose: isRun(plan) ? "run" : "port-forward" };
    try {
      await api.create(objectPath(kind as keyof typeof API_ROOTS, plan.namespace), { kind, ...object }, { query, signal });
      return refusal;
    } catch (error) {
      const status = error instanceof ApiError ? error.status : undefined;
      // What exists already was admitted.
      if (status === 409) return refusal;
      // When its time is over, the API server answers 504 or ends the connection.
      const isLate = status === 504 || error instanceof ConnectionError && ["timeout", "reset"].includes(error.kind);
      if (!isLate && (status === undefined || status === 401 || status === 429)) throw error;
      if (!isLate) return { ...refusal, error: error as Error };
      const names = hooksFor(await hooks.catch(() => []), `${kind.toLowerCase()}s`).join(", ");
      const text = `it was not answered within ${seconds} s${names && `; webhooks that may hang: ${names}`}`;
      return { ...refusal, error: new Error(text, { cause: error }) };
    }
  }));
}

function barePod(plan: Exclude<SessionPlan, { run: unknown }>): New {
  const { metadata: { name, namespace }, spec } = serverDeployment(plan, NO_UID);
  const { metadata, spec: pod } = spec!.template;
  // Policies that refuse Pods without a controller do not mean this one.
  const ownerReferences = [{ apiVersion: "apps/v1", kind: "ReplicaSet", name: `${name}-1`, uid: NO_UID, controller: true }];
  return { apiVersion: "v1", kind: "Pod", metadata: { ...metadata, name, namespace: namespace!, ownerReferences }, spec: pod } as New;
}

/** One finding for each reason: a webhook that fails refuses all kinds alike. Missing rights are named by another check. */
export function groupRefusals(refused: readonly Refusal[]): Finding[] {
  const failed = refused.filter(({ error }) => error !== undefined);
  const hidden = failed.filter(({ error }) => missingRight(error) !== undefined);
  const reasons = Map.groupBy(failed.filter((refusal) => !hidden.includes(refusal)), ({ error }) => reason(error!.message));
  const kinds = (of: readonly Refusal[]) =>
    `the ${[...new Set(of.map(({ kind }) => kind))].join(", ")} of ${[...new Set(of.map(({ purpose }) => purpose))].join(" and ")}`;
  return [
    ...[...reasons].map(([text, of]) => {
      if (/does not support dry run/.test(text)) return unchecked("admission", `${kinds(of)}: ${text}`);
      // If no webhook can be the reason, the way to the API server is slow.
      if (/not answered within [\d.]+ s$/.test(text)) {
        return unchecked("admission", `${kinds(of)}: ${text}; try a longer --request-timeout`);
      }
      const todo = ADVICE.find(([pattern]) => pattern.test(text))?.[1] ??
        "Ask the cluster's administrator, or choose another namespace with -n";
      return problem("admission", `the cluster refuses ${kinds(of)}: ${text}`, todo);
    }),
    ...(hidden.length > 0 ? [unchecked("admission", `a dry run of ${kinds(hidden)} needs the right to create them`)] : []),
  ];
}

/** A message without the object's kind and name, which is the same for all objects that it is about. */
function reason(message: string): string {
  return message.replace(/^[\w.]+ "[^"]*" is forbidden: /, "");
}
