import type { Api } from "../../k8s/api/api.ts";
import { claimService, type ClaimStep, type RemovalReason, type ServiceClaim } from "../../k8s/session/service/claim_service.ts";
import { findServices } from "../../k8s/session/service/found_services.ts";
import { checkPodPatchTaken } from "../../k8s/session/pod/pod_patch_check.ts";
import type { SessionOwner } from "../../k8s/session/owner/session_owner.ts";
import { checkRights, sessionRights } from "../../k8s/session/session_rights.ts";
import type { ForwardPlan } from "../../k8s/session/objects/session_plan.ts";
import type { Context } from "../command/context.ts";

/** What {@link preflight} works with. */
export interface PreflightOptions {
  readonly context: Context;
  readonly api: Api;
  readonly plan: ForwardPlan;
  /** The Service's port, where the user named one. */
  readonly port: number | undefined;
  /** Whether a session that is there is to be taken from whoever has it. */
  readonly takeover?: boolean;
  /** Tells a client that is connected that it loses its session. */
  readonly tellClient: (session: SessionOwner, key: Uint8Array) => Promise<void>;
}

/**
 * Looks before anything is created: rights and names, in one round trip where nothing is in the way. What an earlier kurun of the same
 * user left is found here, to go on as it is or to be removed.
 * @returns the plan, changed where the Service is there already and is joined, or the session to go on as
 * @throws MissingRightsError, ServiceRefusedError, PodPatchRefusedError, and what the API says
 */
export async function preflight(options: PreflightOptions): Promise<ServiceClaim> {
  const { context, api, plan, port, takeover = false, tellClient } = options;
  const { namespace, service } = plan;
  const signal = context.interrupted;
  const say = (line: string) => context.stderr(`${line}\n`);
  const looking = findServices(api, namespace, service, signal);
  // Which of the two fails first is chance; what a missing right makes fail is said as the missing right.
  looking.catch(() => {});
  await checkRights(api, sessionRights(namespace, service), "rbac.yaml", signal);
  const claim = await claimService(api, {
    plan,
    port,
    takeover,
    found: await looking,
    say: (step) => say(describeStep(step, service)),
    tellClient,
    signal,
  });
  if (claim.do === "adopt") return claim;
  if (claim.plan.podPatch) await checkPodPatchTaken(api, claim.plan, signal);
  if (claim.unchecked) {
    say(`Warning: could not check whether another Service selects the same Pods as ${service}: this needs the right to list services`);
  }
  for (const unserved of claim.unserved) say(`Service ${service}'s port ${unserved} is not served: only TCP is`);
  return claim;
}

function describeStep(step: ClaimStep, service: string): string {
  if (step.is === "waiting") {
    return `Waiting for ${step.going.join(", ")} to go: it is still being removed`;
  }
  const { session: { who, from, since, upstream }, mine, why, differing } = step;
  const whose = mine ? "your earlier session" : `the session of ${who} on ${from}`;
  return `Replacing ${whose} at Service ${service} (since ${since}, for ${upstream}): ${
    why === "other-plan" && differing.length > 0 ? `${differing.join(", ")} ${differing.length === 1 ? "differs" : "differ"}` : BECAUSE[why]
  }`;
}

const BECAUSE: Readonly<Record<RemovalReason, string>> = {
  "other-plan": "it was made differently, or something of it is missing",
  "no-key": "its key cannot be read",
  "client-unknown": "its client may be about to connect",
};
