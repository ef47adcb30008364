import type { Api } from "../api/api.ts";
import { onStatus } from "../api/api_error.ts";
import type { AccessReview, ResourceRule, RulesReview } from "../api/kubernetes_objects.ts";
import { proxyTarget } from "./dial/tunnel_dial.ts";
import type { TunnelWay } from "./dial/tunnel_dialer.ts";
import { type Purpose, roleRules } from "./role_rules.ts";

/** The right to do something with a resource. */
export interface Right {
  readonly verb: string;
  /** The API group; empty for the core group. @default {""} */
  readonly group?: string;
  readonly resource: string;
  readonly subresource?: string;
  /** The name of one object; all objects if undefined. */
  readonly name?: string;
  /** All namespaces, or objects without one, if undefined. */
  readonly namespace?: string;
}

/** What a user wants to do, and where. */
export interface RightsScope {
  readonly purpose: Purpose;
  readonly namespace: string;
  /** The Service of `port-forward` or `webhook`; the name of a run, if it is known already. */
  readonly service?: string;
  /** The server, unless the image of kurun's Pod contains it. */
  readonly server?: string;
}

/** The rights that a command cannot do without. */
export function neededRights({ purpose, namespace, service, server }: RightsScope): Right[] {
  const isSession = purpose !== "apply" && purpose !== "delete";
  const rules = roleRules(service === undefined ? [] : [service]).filter((rule) => rule.need === "always" && rule.for.includes(purpose));
  return rules.flatMap(({ group, resources, names, verbs, cluster }) =>
    resources.filter((resource) => resource !== "configmaps" || server !== undefined || !isSession).flatMap((path) => {
      const [resource = "", subresource] = path.split("/");
      const proxied = subresource === "proxy" && service !== undefined ? [proxyTarget(service)] : [undefined];
      return (names ?? proxied).flatMap((name) =>
        verbs.map((verb) => ({
          verb,
          ...(group === "" ? {} : { group }),
          resource,
          ...(subresource === undefined ? {} : { subresource }),
          ...(name === undefined ? {} : { name }),
          ...(cluster ? {} : { namespace }),
        }))
      );
    })
  );
}

/** The user lacks rights that a command needs. */
export class MissingRightsError extends Error {
  override readonly name = "MissingRightsError";

  /** @param user the impersonated user, else the user's name in the kubeconfig; empty if it has none */
  constructor(readonly missing: readonly Right[], readonly user: string, readonly scope: RightsScope) {
    super(`${missing.length} rights are missing`);
  }
}

/**
 * Asks about all rights in parallel. @returns those that the user lacks, in their order; undefined if the user may not ask
 * @throws as {@linkcode Api.create} does
 */
export async function missingRights(api: Api, rights: readonly Right[], signal: AbortSignal): Promise<Right[] | undefined> {
  const reviews = await Promise.all(rights.map((right) => {
    const review = { apiVersion: "authorization.k8s.io/v1", kind: "SelfSubjectAccessReview", spec: { resourceAttributes: right } };
    return api.create<AccessReview>("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review, { signal });
  })).catch(onStatus([403, 404], undefined));
  return reviews && rights.filter((_, index) => reviews[index]?.body.status?.allowed !== true);
}

/**
 * Reads the user's own rules in a namespace. They may be fewer than what the user may do: authorizers other than RBAC list none.
 * @returns whether they give a right; for a right outside of the namespace they are no proof, since they come from RoleBindings too
 * @throws as {@linkcode Api.create} does
 */
export async function ownRules(api: Api, namespace: string, signal: AbortSignal): Promise<(right: Right) => boolean> {
  const review = { apiVersion: "authorization.k8s.io/v1", kind: "SelfSubjectRulesReview", spec: { namespace } };
  const answer = await api.create<RulesReview>("/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", review, { signal })
    .catch(onStatus([403, 404], undefined));
  const rules = answer?.body.status?.resourceRules ?? [];
  return (right) => right.namespace === namespace && rules.some((rule) => gives(rule, right));
}

/** Whether a rule gives a right, as RBAC decides it (RuleAllows in the API server's authorizer). */
export function gives({ verbs, apiGroups = [], resources = [], resourceNames = [] }: ResourceRule, right: Right): boolean {
  const { verb, group = "", resource, subresource, name } = right;
  const has = (list: readonly string[], ...wanted: string[]) => ["*", ...wanted].some((one) => list.includes(one));
  const paths = subresource === undefined ? [resource] : [`${resource}/${subresource}`, `*/${subresource}`];
  const isNamed = resourceNames.length === 0 || (name !== undefined && resourceNames.includes(name));
  return has(verbs, verb) && has(apiGroups, group) && has(resources, ...paths) && isNamed;
}

/** The value of `--transport`: how the tunnel reaches the Pod, or `auto` to find out. */
export type Transport = TunnelWay | "auto";

/** What {@linkcode checkRights} has found. */
export interface CheckedRights {
  /** The ways of the tunnel that the user has the rights for, the preferred one first. */
  readonly ways: readonly TunnelWay[];
  /** Whether the user surely has the optional right. */
  readonly optional: boolean;
}

/**
 * Checks the rights of a session before anything is created: by the user's rules in the namespace, in one request, and then by asking about
 * each right that they do not give. If the user may not ask, nothing is reported: a missing right shows later.
 * @param optional a right that the session can do without
 * @throws {MissingRightsError} naming all missing rights, in their order; also as {@linkcode Api.create} does
 */
export async function checkRights(
  api: Api,
  scope: RightsScope,
  transport: Transport,
  signal: AbortSignal,
  optional?: Right,
): Promise<CheckedRights> {
  const { namespace } = scope;
  const needed = neededRights(scope);
  const all = { service: needed.filter(isServiceProxy), pod: kubeletRights(namespace) };
  const ways = (["service", "pod"] as const).filter((way) => transport === "auto" || transport === way);
  const common = needed.filter((right) => !all.service.includes(right));
  const given = await ownRules(api, namespace, signal);
  const asked = [...common, ...ways.flatMap((way) => all[way]), ...(optional ? [optional] : [])].filter((right) => !given(right));
  const lacked = await missingRights(api, asked, signal);
  const missing = new Set(lacked);
  const open = ways.filter((way) => !all[way].some((right) => missing.has(right)));
  const wanted = open.length > 0 ? common : [...common, ...all[ways[0] as TunnelWay]];
  const named = wanted.filter((right) => missing.has(right));
  if (named.length > 0) throw new MissingRightsError(named, api.access.user, scope);
  return { ways: open, optional: optional !== undefined && lacked !== undefined && !missing.has(optional) };
}

/** Whether it is for the tunnel through the API server's service proxy. */
export function isServiceProxy({ subresource }: Right): boolean {
  return subresource === "proxy";
}

/** The rights for the tunnel through the kubelet. The WebSocket is a GET; since Kubernetes 1.35 it takes `create`, too, as the POST before it. */
export function kubeletRights(namespace: string): Right[] {
  return ["get", "create"].map((verb) => ({ verb, resource: "pods", subresource: "portforward", namespace }));
}

/** A right in the words of kubectl's errors, such as `get services/proxy named https:web-kurun:8333 in namespace shop`. */
export function describeRight({ verb, group, resource, subresource, name, namespace }: Right): string {
  const what = `${resource}${group ? `.${group}` : ""}${subresource ? `/${subresource}` : ""}`;
  return `${verb} ${what}${name ? ` named ${name}` : ""}${namespace ? ` in namespace ${namespace}` : ""}`;
}
