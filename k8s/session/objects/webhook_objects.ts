/**
 * The switch of a session that serves admission webhooks. Its configurations ask the API server's authorizer whether a ServiceAccount named
 * after the session may answer for it. Neither the ServiceAccount nor the resource exists; the RoleBinding alone decides. It is made last and
 * deleted first, and the session's Job owns it, so the configurations turn themselves off when the session ends, however it ends.
 *
 * @module
 */
import type { NewRole, NewRoleBinding } from "../../api/kubernetes_objects.ts";
import { metadata } from "./session_objects.ts";
import type { ForwardPlan } from "./session_plan.ts";

const RBAC = "rbac.authorization.k8s.io";
/** What the session's ServiceAccount may do while the RoleBinding exists. */
export const ANSWER = { group: "kurun.dev", resource: "sessions", verb: "answer" } as const;

/** The Role that the switch binds. */
export function answerRole(plan: ForwardPlan, uid: string): NewRole {
  const rules = [{ apiGroups: [ANSWER.group], resources: [ANSWER.resource], resourceNames: [plan.name], verbs: [ANSWER.verb] }];
  return { apiVersion: `${RBAC}/v1`, kind: "Role", metadata: metadata(plan, plan.name, uid), rules };
}

/** The switch: while it exists, the session's configurations apply. */
export function switchBinding(plan: ForwardPlan, uid: string): NewRoleBinding {
  return {
    apiVersion: `${RBAC}/v1`,
    kind: "RoleBinding",
    metadata: metadata(plan, plan.name, uid),
    roleRef: { apiGroup: RBAC, kind: "Role", name: plan.name },
    subjects: [{ kind: "ServiceAccount", name: plan.name, namespace: plan.namespace }],
  };
}
