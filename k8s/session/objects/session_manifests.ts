import { runPod } from "./run_objects.ts";
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
  if (plan.run) {
    return [sessionJob(plan), controlService(plan, owner), sessionSecret(plan, owner, secrets), runPod(plan, plan.run, owner).pod];
  }
  return [
    sessionJob(plan),
    ...(plan.joined ? [] : [userService(plan, owner)]),
    controlService(plan, owner),
    sessionSecret(plan, owner, secrets),
    serverDeployment(plan, owner),
  ];
}
