import type { Api } from "../api/api.ts";
import { onStatus } from "../api/api_error.ts";
import type { AccessReview } from "../api/kubernetes_objects.ts";
import { sleep } from "../api/sleep.ts";
import { type ForwardPlan, objectPath } from "../session/objects/session_plan.ts";
import { ANSWER, switchBinding } from "../session/objects/webhook_objects.ts";
import type { HookSession } from "./guard.ts";

/** API servers learn of a RoleBinding from a watch, in milliseconds; a busy one takes longer. */
const SEEN_WITHIN_MS = 5_000;
const POLL_MS = 20;
/** Other API servers of the same cluster have watches of their own. */
const OTHERS_MS = 500;
/** The wait if the user may not ask what an API server has seen. */
const BLIND_MS = 2_000;

/** Switches a session's configurations on. @param uid the uid of its Job @throws as {@linkcode Api.create} does */
export async function switchOn(api: Api, plan: ForwardPlan, uid: string, signal: AbortSignal): Promise<void> {
  await api.create(objectPath("RoleBinding", plan.namespace), switchBinding(plan, uid), { signal });
  await untilSeen(api, plan, true, signal);
}

/**
 * Switches a session's configurations off, and waits until the API servers know it. Requests that one of them has already sent to the
 * session are still to be answered. It is no error if they are off.
 * @throws as {@linkcode Api.delete} does
 */
export async function switchOff(api: Api, session: HookSession, signal?: AbortSignal): Promise<void> {
  const path = objectPath("RoleBinding", session.namespace, session.name);
  const wasOn = await api.delete(path, { signal }).then(() => true, onStatus([404], false));
  if (!wasOn) return;
  await untilSeen(api, session, false, signal);
  await sleep(OTHERS_MS, signal);
}

/** Whether the API server would let a session answer now; undefined if the user may not ask. @throws as {@linkcode Api.create} does */
export async function isSwitchedOn(api: Api, { namespace, name }: HookSession, signal?: AbortSignal): Promise<boolean | undefined> {
  const path = `/apis/authorization.k8s.io/v1/namespaces/${namespace}/localsubjectaccessreviews`;
  // As CEL's authorizer.serviceAccount makes them.
  const groups = ["system:serviceaccounts", `system:serviceaccounts:${namespace}`];
  const spec = { user: `system:serviceaccount:${namespace}:${name}`, groups, resourceAttributes: { ...ANSWER, namespace, name } };
  const review = { apiVersion: "authorization.k8s.io/v1", kind: "LocalSubjectAccessReview", metadata: { namespace }, spec };
  const answer = await api.create<AccessReview>(path, review, { signal }).catch(onStatus([403, 404], undefined));
  return answer && answer.body.status?.allowed === true;
}

async function untilSeen(api: Api, session: HookSession, on: boolean, signal: AbortSignal | undefined): Promise<void> {
  const until = performance.now() + SEEN_WITHIN_MS;
  for (;;) {
    const seen = await isSwitchedOn(api, session, signal);
    if (seen === undefined) return await sleep(BLIND_MS, signal);
    if (seen === on || performance.now() > until) return;
    await sleep(POLL_MS, signal);
  }
}
