import type { Api } from "../k8s/api.ts";
import { claimService, type ClaimStep, lookAtServices } from "../k8s/claim_service.ts";
import { checkPodPatchTaken } from "../k8s/pod_patch_check.ts";
import { checkRights, sessionRights } from "../k8s/session_rights.ts";
import { Annotation, type SessionPlan } from "../k8s/session_objects.ts";
import type { Right } from "../k8s/rights.ts";
import type { Context } from "./context.ts";

/** What {@link preflight} works with. */
export interface PreflightOptions {
  readonly context: Context;
  readonly api: Api;
  readonly plan: SessionPlan;
  /** The Service's port, where the user named one. */
  readonly port: number | undefined;
  /** Rights that are needed beyond those of every session. */
  readonly moreRights?: readonly Right[];
}

/**
 * Looks before anything is created: rights and names, in one round trip where nothing is in the way. What an earlier kurun of the same
 * user left is removed here.
 * @returns the plan, changed where the Service is there already and is joined
 * @throws MissingRightsError, ServiceRefusedError, PodPatchRefusedError, and what the API says
 */
export async function preflight({ context, api, plan, port, moreRights = [] }: PreflightOptions): Promise<SessionPlan> {
  const { namespace, service } = plan;
  const signal = context.interrupted;
  const say = (line: string) => context.stderr(`${line}\n`);
  const looking = lookAtServices(api, namespace, service, signal);
  // Which of the two fails first is chance; what a missing right makes fail is said as the missing right.
  looking.catch(() => {});
  await checkRights(api, [...sessionRights(namespace, service), ...moreRights], signal);
  const claim = await claimService(api, {
    namespace,
    wish: { name: service, who: plan.annotations[Annotation.who] ?? "", from: plan.annotations[Annotation.from] ?? "", port },
    found: await looking,
    say: (step) => say(describeStep(step, service)),
    signal,
  });
  const settled = claim.do === "create" ? plan : { ...plan, ports: claim.ports, joined: { selector: claim.selector } };
  if (plan.podPatch) await checkPodPatchTaken(api, settled, signal);
  if (claim.do !== "create") {
    for (const unserved of claim.unserved) say(`Service ${service}'s port ${unserved} is not served: only TCP is`);
  }
  return settled;
}

function describeStep(step: ClaimStep, service: string): string {
  if (step.is === "waiting") {
    return `Waiting for ${step.going.join(", ")} to go: what an earlier kurun or somebody else had is being removed`;
  }
  const { since, upstream } = step.session;
  return `Removing what an earlier kurun left at Service ${service} (since ${since}, for ${upstream})`;
}
