import { ANSWER } from "../session/objects/webhook_objects.ts";
import { SESSION_LABEL } from "../session/objects/session_plan.ts";
import type { Hook } from "./hook_configuration.ts";

/** A condition that a request must meet, a CEL expression (admissionregistration.k8s.io/v1, MatchCondition). */
export type MatchCondition = NonNullable<Hook["matchConditions"]>[number];

/** A session, as its configurations name it. */
export interface HookSession {
  readonly namespace: string;
  readonly name: string;
}

/** A namespace, or a session (RFC 1123, label). */
const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
/** The end of the names of all of kurun's conditions. */
const CONDITION_END = ".kurun.dev";
/** The objects of sessions. Without them a session could not be renewed or removed while the program here does not answer. */
const OWN_OBJECT =
  `[object, oldObject].exists(o, o != null && has(o.metadata) && has(o.metadata.labels) && type(o.metadata.labels) == map && '${SESSION_LABEL}' in o.metadata.labels)`;

/** Whether a session is switched on, as CEL: it asks the authorizer, which knows a RoleBinding as soon as it exists. */
export function guardExpression({ namespace, name }: HookSession): string {
  const { group, resource, verb } = ANSWER;
  return `authorizer.serviceAccount('${namespace}', '${name}').group('${group}').resource('${resource}')` +
    `.namespace('${namespace}').name('${name}').check('${verb}').allowed()`;
}

/** The session that a condition belongs to, by its expression and its name. @returns undefined if it is not kurun's */
export function guardedSession({ name, expression }: MatchCondition): HookSession | undefined {
  const [, namespace = "", session = ""] = /\bauthorizer\.serviceAccount\('([^']*)', '([^']*)'\)/.exec(expression) ?? [];
  const guarded = { namespace, name: session };
  return expression.includes(guardExpression(guarded)) && name === conditionName(guarded) ? guarded : undefined;
}

/** Whether a session answers a request, as CEL. @param filter which requests, as CEL */
export function mineExpression(session: HookSession, filter: string): string {
  return `${guardExpression(session)} && !${OWN_OBJECT} && (${filter})`;
}

/** Whether these can be a session's names. Anybody who may write objects may write any text there, and it goes into paths and commands to copy. */
export function isSession({ namespace, name }: HookSession): boolean {
  return LABEL.test(namespace) && LABEL.test(name);
}

/** The name of a session's condition, in its copies and in the original. */
export function conditionName({ name }: HookSession): string {
  return `${name}${CONDITION_END}`;
}

/** Whether a condition is a session's. */
export function isCondition({ name }: Pick<MatchCondition, "name">): boolean {
  return name.endsWith(CONDITION_END);
}
