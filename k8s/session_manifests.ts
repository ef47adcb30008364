import {
  controlService,
  type KubernetesObject,
  type Owner,
  serverDeployment,
  sessionJob,
  type SessionPlan,
  sessionSecret,
  type SessionSecrets,
  userService,
} from "./session_objects.ts";

/** All objects of a session in the order of their making: the Job, which owns the rest, goes first. */
export function sessionObjects(plan: SessionPlan, owner: Owner, secrets: SessionSecrets): KubernetesObject[] {
  return [
    sessionJob(plan),
    ...(plan.joined ? [] : [userService(plan, owner)]),
    controlService(plan, owner),
    sessionSecret(plan, owner, secrets),
    serverDeployment(plan, owner),
  ];
}
