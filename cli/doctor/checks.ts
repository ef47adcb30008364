import type { Api } from "../../k8s/api/api.ts";
import { onStatus } from "../../k8s/api/api_error.ts";
import { ConnectionError } from "../../k8s/api/connection_error.ts";
import type { SubjectReview } from "../../k8s/api/kubernetes_objects.ts";
import { linuxNodes } from "../../k8s/nodes/nodes.ts";
import { findLeftovers } from "../../k8s/session/owner/leftovers.ts";
import { findHookLeftovers } from "../../k8s/webhook/find_leftovers.ts";
import type { SessionPlan } from "../../k8s/session/objects/session_plan.ts";
import type { Purpose } from "../../k8s/session/role_rules.ts";
import { describeRight, isServiceProxy, kubeletRights, missingRights, neededRights } from "../../k8s/session/session_rights.ts";
import type { Context } from "../command/context.ts";
import { pause } from "../command/timers.ts";
import { servicesOf } from "../session/default_service.ts";
import { markedObject } from "../session/marked_object.ts";
import { checkAdmission } from "./admission.ts";
import { certificateEnd } from "./certificate_end.ts";
import { findDeadConversions, findDeadWebhooks, listHooks } from "./dead_webhooks.ts";
import { type CheckName, type Finding, missingRight, problem, unchecked } from "./finding.ts";
import { checkWebSocket } from "./web_socket.ts";

/** What is examined. */
export interface Examination {
  readonly context: Context;
  readonly api: Api;
  readonly purposes: readonly Purpose[];
  /** The Service of `port-forward` or `webhook`, if the user names one. */
  readonly servicename: string | undefined;
  readonly plans: readonly SessionPlan[];
  /** How long one answer may take, in milliseconds. */
  readonly limitMs: number;
}

/** What was found, and what was seen on the way. */
export interface Diagnosis {
  readonly findings: readonly Finding[];
  /** The checks that were made. */
  readonly checks: readonly CheckName[];
  /** Kubernetes' version; undefined if the API server did not answer. */
  readonly version: string | undefined;
  /** The user as the API server knows it; as the kubeconfig names it if the API server does not say. */
  readonly user: string;
  readonly groups: readonly string[];
}

/** A check may ask several things one after the other, but takes no longer than this many times the limit of one answer. */
const LIMITS_PER_CHECK = 1.25;
/** A clock that differs by more than this breaks tokens and certificates sooner or later. The Date header has whole seconds. */
const MAX_SKEW_MS = 60_000;
const SHOWN_NODES = 3;
const LONGER = "Try a longer --request-timeout";

/** Makes all checks in parallel. Nothing is changed. @throws the reason of the signal if the user interrupts it */
export async function examine(examination: Examination): Promise<Diagnosis> {
  const { api, context, limitMs, plans } = examination;
  const { interrupted: signal } = context;
  const { namespace, user } = api.access;
  const version = api.get<{ gitVersion?: string }>("/version", { signal }).then((answer) => ({ ...answer, here: context.date() }));
  const who = whoAmI(api, signal);
  const hooks = listHooks(api, signal);
  const checks: Readonly<Partial<Record<CheckName, () => Promise<Finding[]>>>> = {
    clock: async () => clockSkew(await version),
    certificates: () => checkCertificates(examination),
    user: async () => anonymous(await who, user),
    rights: () => checkRights(examination),
    admission: () => checkAdmission({ api, namespace, plans, hooks, limitMs, signal }),
    websocket: () => checkWebSocket(api.access, limitMs, signal),
    webhooks: async () => findDeadWebhooks(api, await hooks, signal),
    conversions: () => findDeadConversions(api, signal),
    sessions: () => findLeftSessions(examination),
    nodes: () => checkNodes(examination),
  };
  const names = Object.keys(checks) as CheckName[];
  const made = names.map(async (name) => {
    const late = pause(limitMs * LIMITS_PER_CHECK, signal).then(() => [unchecked(name, "it took too long", LONGER)]);
    return await Promise.race([checks[name]!(), late]).catch((error) => failed(context, name, error));
  });
  try {
    const { body } = await version;
    const findings = (await Promise.all(made)).flat();
    const { username = user, groups = [] } = await who.catch((): UserInfo => ({}));
    signal.throwIfAborted();
    return { findings, checks: ["server", "namespace", ...names], version: body?.gitVersion, user: username, groups };
  } catch (error) {
    signal.throwIfAborted();
    // No check waits for its own limit, and none says the same again.
    const findings = [unreachable(context, error), ...names.map((name) => unchecked(name, "the API server could not be asked"))];
    return { findings, checks: [], version: undefined, user, groups: [] };
  }
}

function unreachable(context: Context, error: unknown): Finding {
  const [seen = "", todo = ""] = described(context, error).split(/; |\n/, 2);
  const { certificate } = error instanceof ConnectionError ? error : {};
  const dates = certificate ? ` (valid from ${certificate.validFrom.toISOString()} to ${certificate.validTo.toISOString()})` : "";
  return problem("server", seen + dates, todo.replace(/^./, (first) => first.toUpperCase()).replace(/\.$/, ""));
}

/** What a check that could not be made itself says. */
function failed(context: Context, check: CheckName, error: unknown): Finding[] {
  const right = missingRight(error);
  if (right !== undefined) return [unchecked(check, `this needs the right to ${right}`)];
  const isLate = error instanceof ConnectionError && error.kind === "timeout";
  return [isLate ? unchecked(check, error.message, LONGER) : problem(check, described(context, error), "")];
}

function described(context: Context, error: unknown): string {
  return context.describe(error).text.replace(/^error: /, "");
}

type UserInfo = NonNullable<NonNullable<SubjectReview["status"]>["userInfo"]>;

/** The user as the API server knows it; nothing if it does not say. @throws as {@link Api.create} does */
export async function whoAmI(api: Api, signal: AbortSignal): Promise<UserInfo> {
  const review = { apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" };
  const path = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
  const answer = await api.create<SubjectReview>(path, review, { signal }).catch(onStatus([403, 404], undefined));
  return answer?.body.status?.userInfo ?? {};
}

function anonymous({ username }: UserInfo, named: string): Finding[] {
  if (username !== "system:anonymous") return [];
  return [
    problem("user", `the API server treats you as system:anonymous: user "${named}" of the kubeconfig sends no credentials`, "Log in"),
  ];
}

/** How far this machine's clock is from the API server's. @param answer with its Date header, and the time here when it came */
export function clockSkew({ date, here }: { date: Date | undefined; here: Date }): Finding[] {
  const ms = date ? here.getTime() - date.getTime() : 0;
  if (Math.abs(ms) < MAX_SKEW_MS) return [];
  const off = `this machine's clock is ${Math.round(Math.abs(ms) / 1000)} s ${ms > 0 ? "ahead of" : "behind"} the API server's`;
  return [problem("clock", off, "Set it by NTP: tokens and certificates seem expired, or not valid yet")];
}

async function checkCertificates({ api: { access }, context }: Examination): Promise<Finding[]> {
  const server = await (await access.connection()).serverCertificate(context.interrupted);
  const ends = [
    ["the API server's certificate", server, "The cluster's administrator has to renew it"],
    [`the client certificate of user "${access.user}"`, access.clientCertificate?.(), "Log in again, or ask for a new one"],
  ] as const;
  return ends.flatMap(([what, certificate, todo]) => {
    const end = certificate && certificateEnd(certificate, context.date());
    return end === undefined ? [] : [problem("certificates", `${what} ${end}`, todo)];
  });
}

async function checkRights({ api, context, purposes, servicename, plans: [plan] }: Examination): Promise<Finding[]> {
  const { namespace } = api.access;
  const scope = { namespace, ...(plan?.server === undefined ? {} : { server: plan.server }) };
  const needed = purposes.flatMap((purpose) => {
    const [service] = servicesOf([purpose], servicename, context.who);
    return neededRights({ purpose, ...scope, ...(service === undefined ? {} : { service }) }).map((right) => ({ purpose, right }));
  });
  const users = Map.groupBy(needed, ({ right }) => describeRight(right));
  const kubelet = kubeletRights(namespace);
  const lacked = await missingRights(api, [...[...users.values()].map(([first]) => first!.right), ...kubelet], context.interrupted);
  const byKubelet = lacked && !kubelet.some((right) => lacked.includes(right));
  const missing = lacked?.filter((right) => !kubelet.includes(right) && !(byKubelet && isServiceProxy(right)));
  if (missing === undefined) return [unchecked("rights", "this needs the right to create selfsubjectaccessreviews.authorization.k8s.io")];
  const command = `kurun doctor --rbac --for ${purposes.join(",")} -n ${namespace}${
    servicename === undefined ? "" : ` --servicename ${servicename}`
  }`;
  return missing.map(describeRight).map((text) => {
    const seen = `you cannot ${text}, which is needed for ${users.get(text)?.map(({ purpose }) => purpose).join(" and ")}`;
    return problem("rights", seen, `Ask the cluster's administrator to apply the Role that this prints: ${command}`);
  });
}

async function findLeftSessions({ api, context: { who, from, interrupted: signal } }: Examination): Promise<Finding[]> {
  // What may not be listed is named by kurun cleanup.
  const { namespace } = api.access;
  const [{ leftovers }, { marks }] = await Promise.all([
    findLeftovers(api, { namespace, who, from, signal }),
    findHookLeftovers(api, { namespace, signal }),
  ]);
  return [...leftovers.map(({ kind, name }) => `${kind} ${name} in namespace ${namespace}`), ...marks.map(markedObject)].map((left) =>
    problem("sessions", `${left} is left behind by a kurun that is gone`, `Remove it: kurun cleanup -n ${namespace}`)
  );
}

async function checkNodes({ api, context }: Examination): Promise<Finding[]> {
  const nodes = await linuxNodes(api, context.interrupted);
  if (nodes === undefined) return [unchecked("nodes", "this needs the right to list nodes")];
  const kept = nodes.map(({ name, taints, architecture = "" }) => {
    // Fargate admits Pods to its nodes by itself.
    const keeping = taints.filter((taint) => !taint.startsWith("eks.amazonaws.com/compute-type="));
    if (keeping.length > 0) return `${name} has the taint ${keeping.join(" and ")}`;
    return ["amd64", "arm64"].includes(architecture) ? undefined : `${name} has the architecture ${architecture}`;
  });
  if (kept.some((why) => why === undefined)) return [];
  const seen = kept.length === 0 ? "the cluster has no Linux node" : `no node takes kurun's Pod: ${kept.slice(0, SHOWN_NODES).join("; ")}`;
  return [problem("nodes", seen, "Add a node, or tolerate a taint with --server-overrides")];
}
