import type { Api } from "../../api/api.ts";
import { ApiError } from "../../api/api_error.ts";
import { serverDeployment, type SessionPlan } from "../objects/session_objects.ts";

/** The cluster does not take the Pod with the user's wishes; the message is the API server's own. */
export class PodPatchRefusedError extends Error {
  override readonly name = "PodPatchRefusedError";
}

/** What stands for the Job, which is not there yet; the API server wants an owner to have some uid. */
const NO_UID = "not-made-yet";

/**
 * Asks the API server, by a dry run, whether it takes the Pod as the user's wishes make it: values that have the wrong type, and those that
 * do not go together, such as a memory limit below what is requested.
 *
 * @throws PodPatchRefusedError where it does not
 * @throws ConnectionError; any other refusal is left to the real creation, for admission webhooks may refuse all dry runs (400)
 */
export async function checkPodPatchTaken(api: Api, plan: SessionPlan, signal: AbortSignal): Promise<void> {
  const path = `/apis/apps/v1/namespaces/${plan.namespace}/deployments`;
  try {
    await api.create(path, serverDeployment(plan, { name: plan.name, uid: NO_UID }), { query: { dryRun: "All" }, signal });
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    // Both lead with the object, of which the user has heard nothing.
    const invalid = /^Deployment\.apps "[^"]*" is invalid: (.*)$/s.exec(error.message);
    const unreadable = /^Deployment in version "[^"]*" cannot be handled as a Deployment: (.*)$/s.exec(error.message);
    const said = (invalid ?? unreadable)?.[1];
    if (said !== undefined) throw new PodPatchRefusedError(said, { cause: error });
  }
}
